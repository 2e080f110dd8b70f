// The one EXIF tag that changes how a picture must be shown.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"

namespace imgpress::press {

// Reads the orientation out of an EXIF block: a TIFF header and what follows, with or without the
// "Exif\0\0" that some containers put in front. 0 when there is none, or none that makes sense.
// Safe on any bytes.
int read_orientation(ByteView exif);

constexpr std::size_t kMinimalExifBytes = 26;

// A TIFF block that holds the orientation and nothing else.
std::array<std::uint8_t, kMinimalExifBytes> minimal_exif(int orientation);

// The same as the payload of a JPEG segment.
std::vector<std::uint8_t> minimal_exif_payload(int orientation);

}  // namespace imgpress::press
