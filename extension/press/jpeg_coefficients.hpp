// JPEG to JPEG without pixels: the coefficients are read, requantised and written again. Faster
// than decoding and encoding, and nothing is lost but what the coarser steps take.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "press/image_metadata.hpp"
#include "press/jpeg_guard.hpp"
#include "press/jpeg_input.hpp"

namespace imgpress::press {

// False where the colours have a finer resolution than 4:2:0 gives them, so that there is something
// to gain from halving it. Needs the header alone.
bool suits_requantising(const jpeg_decompress_struct& header);

// Nothing when the result would not be smaller than `room` bytes. The header must have been read.
std::optional<std::vector<std::uint8_t>> requantise_jpeg(JpegGuard& guard, JpegInput& input,
                                                         int quality, const ImageMetadata& metadata,
                                                         std::size_t room);

}  // namespace imgpress::press
