// GIF to pixels: the first frame, on its logical screen.
#pragma once

#include <cstdint>

#include "core/text/bytes.hpp"
#include "press/codec/pixel_image.hpp"

namespace imgpress::press {

// Throws FaultError: kTooManyPixels before any memory for the picture is taken, kDamagedImage.
PixelImage read_gif(ByteView source, std::uint64_t max_pixels);

}  // namespace imgpress::press
