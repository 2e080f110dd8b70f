#include "press/codec/pixel_image.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/rules/fault.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

using Bytes = std::uint8_t __attribute__((vector_size(16)));
using Words = std::uint16_t __attribute__((vector_size(32)));

IMGPRESS_INLINE void mix(const Bytes& alpha, std::uint16_t shade, Bytes& samples) {
  const Words weight = __builtin_convertvector(alpha, Words);
  const Words sum = __builtin_convertvector(samples, Words) * weight + (255 - weight) * shade + 127;
  const Words quotient = (sum + 1 + (sum >> 8)) >> 8;  // of a division by 255
  samples = __builtin_convertvector(quotient, Bytes);
}

// Pixels of red, green, blue and alpha become such without alpha, and four bytes without a meaning.
IMGPRESS_INLINE void blend_four(const std::uint8_t* in, std::uint8_t* out) {
  Bytes bytes;
  std::memcpy(&bytes, in, sizeof bytes);
  const Bytes repeated =
      __builtin_shufflevector(bytes, bytes, 3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15);
  mix(repeated, 255, bytes);
  bytes =
      __builtin_shufflevector(bytes, bytes, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
  std::memcpy(out, &bytes, sizeof bytes);
}

}  // namespace

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

IMGPRESS_CPU_TARGETS void blend_on_white(const std::uint8_t* in, int colours, std::size_t count,
                                         std::uint8_t* out) {
  if (colours == 3) {
    // Four pixels at a time. Four bytes more than their twelve are written.
    for (; count >= 6; count -= 4) {
      blend_four(in, out);
      in += 16;
      out += 12;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned alpha = in[colours];
    for (int c = 0; c < colours; ++c) {
      *out++ = static_cast<std::uint8_t>((in[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    in += colours + 1;
  }
}

IMGPRESS_CPU_TARGETS void blend_on_shade(const std::uint8_t* alpha, std::size_t count,
                                         std::uint8_t shade, std::uint8_t* samples) {
  for (std::size_t size = sizeof(Bytes); count > 0; count -= size) {
    size = std::min(size, count);
    Bytes alphas{};
    Bytes mixed{};
    std::memcpy(&alphas, alpha, size);
    std::memcpy(&mixed, samples, size);
    mix(alphas, shade, mixed);
    std::memcpy(samples, &mixed, size);
    alpha += size;
    samples += size;
  }
}

}  // namespace imgpress::press
