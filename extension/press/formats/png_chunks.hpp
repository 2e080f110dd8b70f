// The chunks of a PNG file: where its EXIF block is, and the file without metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Views into the source; valid as long as it is.
struct PngAnatomy {
  ByteView exif;                 // payload of the eXIf chunk; empty when there is none
  std::vector<ByteView> needed;  // whole chunks that decoding and colours need, in file order
  bool animated = false;
};

// Never fails: a malformed file has fewer parts. Safe on any bytes.
PngAnatomy dissect_png(ByteView source);

// The file without metadata but for the orientation. An animation becomes its still picture.
std::vector<std::uint8_t> assemble_png(const PngAnatomy& anatomy, int orientation);

}  // namespace imgpress::press
