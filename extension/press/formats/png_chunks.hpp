// Splits a PNG file into chunks, and writes it without its metadata.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// A view into the source; valid as long as it is.
struct PngChunk {
  ByteView whole;  // length, type, payload and checksum

  std::string_view type() const;
  ByteView payload() const;
  bool is_intact() const;  // according to its checksum
};

struct PngChunks {
  ByteView exif;                 // payload of the eXIf chunk; empty when there is none
  std::vector<PngChunk> needed;  // the chunks that decoding and colours need, in file order
  std::vector<PngChunk> data;    // those of them with the compressed pixels (IDAT)
  bool animated = false;
};

// Never fails: a malformed file has fewer chunks. Safe on any bytes.
PngChunks parse_png_chunks(ByteView source);

// The file without metadata, except for the orientation. Of an animation only the default image is
// kept.
std::vector<std::uint8_t> strip_png(const PngChunks& chunks, int orientation);

}  // namespace imgpress::press
