// Reads and writes the orientation tag of EXIF metadata.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// The orientation in an EXIF block (a TIFF structure, with or without the prefix "Exif\0\0"): 1 to
// 8, or 0 when there is none or it is invalid. Safe on any bytes.
int read_orientation(ByteView exif);

constexpr std::size_t kMinimalExifBytes = 26;

// An EXIF block, without the prefix, that holds the orientation and nothing else.
std::array<std::uint8_t, kMinimalExifBytes> minimal_exif(int orientation);

// The same with the prefix, as the payload of a JPEG segment.
std::vector<std::uint8_t> minimal_exif_payload(int orientation);

}  // namespace imgpress::press
