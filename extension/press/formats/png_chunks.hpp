// The chunks of a PNG file: where its EXIF block is, and the file without metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Views into the source; valid as long as it is.
struct PngChunks {
  ByteView exif;                 // payload of the eXIf chunk; empty when there is none
  std::vector<ByteView> needed;  // whole chunks that decoding and colours need, in file order
  bool animated = false;
};

// Never fails: a malformed file has fewer parts. Safe on any bytes.
PngChunks parse_png_chunks(ByteView source);

// The file without metadata but for the orientation. An animation becomes its still picture.
std::vector<std::uint8_t> strip_png(const PngChunks& chunks, int orientation);

}  // namespace imgpress::press
