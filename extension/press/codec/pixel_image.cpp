#include "press/codec/pixel_image.hpp"

#include <string>

#include "core/rules/fault.hpp"

namespace imgpress::press {

void check_pixel_count(std::uint64_t width, std::uint64_t height, const PixelLimits& limits) {
  if (width == 0 || height == 0) {
    throw FaultError(Fault::kDamagedImage, "the image has no pixels");
  }
  // Both are below 2^32 in every format, so the product cannot wrap.
  if (width * height > limits.max_pixels) {
    throw FaultError(Fault::kTooManyPixels, "the image has " + std::to_string(width) + " x " +
                                                std::to_string(height) + " pixels; at most " +
                                                std::to_string(limits.max_pixels) + " are allowed");
  }
  if (width * height > limits.large_above) throw LargeImage();
}

void blend_on_white(const std::uint8_t* in, int colours, std::size_t count, std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned alpha = in[colours];
    for (int c = 0; c < colours; ++c) {
      *out++ = static_cast<std::uint8_t>((in[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    in += colours + 1;
  }
}

}  // namespace imgpress::press
