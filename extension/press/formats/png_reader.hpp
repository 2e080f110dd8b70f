// PNG to pixels. Gamma is left as it is: like most viewers, the codec shows samples as they are
// stored, and hands an ICC profile on.
#pragma once

#include <cstdint>

#include "core/text/bytes.hpp"
#include "press/codec/pixel_image.hpp"
#include "press/formats/png_chunks.hpp"

namespace imgpress::press {

// Throws FaultError: kTooManyPixels before any memory for the picture is taken, kDamagedImage.
PixelImage read_png(ByteView source, const PngChunks& chunks, std::uint64_t max_pixels);

}  // namespace imgpress::press
