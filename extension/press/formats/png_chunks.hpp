// Splits a PNG file into chunks, and writes it without its metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Views into the source; valid as long as it is.
struct PngChunks {
  ByteView exif;                 // payload of the eXIf chunk; empty when there is none
  std::vector<ByteView> needed;  // the chunks that decoding and colours need, in file order
  bool animated = false;
};

// Never fails: a malformed file has fewer chunks. Safe on any bytes.
PngChunks parse_png_chunks(ByteView source);

// The file without metadata, except for the orientation. Of an animation only the default image is
// kept.
std::vector<std::uint8_t> strip_png(const PngChunks& chunks, int orientation);

}  // namespace imgpress::press
