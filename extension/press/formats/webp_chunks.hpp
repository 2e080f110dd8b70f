// The chunks of a WebP file: the file without its metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// The file without EXIF, XMP and unknown chunks, but with the orientation; animations stay
// animated. A file that is no proper chain of chunks comes back whole. Safe on any bytes.
std::vector<std::uint8_t> strip_webp(ByteView source, int orientation);

}  // namespace imgpress::press
