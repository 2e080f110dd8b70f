// Writes a WebP file without its metadata.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Drops EXIF, XMP and unknown chunks, but keeps the orientation. Animations stay animated. A file
// whose chunks are malformed is returned unchanged. Safe on any bytes.
std::vector<std::uint8_t> strip_webp(ByteView source, int orientation);

}  // namespace imgpress::press
