// A decoded image: 8 bits a sample, rows without padding, no transparency.
#pragma once

#include <cstdint>
#include <vector>

#include "core/text/bytes.hpp"
#include "press/codec/codec.hpp"
#include "press/codec/image_metadata.hpp"

namespace imgpress::press {

struct PixelImage {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  int channels = 3;  // 1: grey, 3: red, green, blue
  // Instead, planes as in video: luma, then Cb and Cr of half the size, from 16 to 235 and 240.
  bool is_video = false;
  std::vector<std::uint8_t> samples;
  ImageMetadata metadata;
  bool has_more_frames = false;  // an animation, of which this is the first frame

  std::size_t row_bytes() const { return std::size_t{width} * static_cast<std::size_t>(channels); }
};

// Throws FaultError (kTooManyPixels above the limit, kDamagedImage when there are no pixels) or
// LargeImage.
void check_pixel_count(std::uint64_t width, std::uint64_t height, const PixelLimits& limits);

// Blends `count` pixels with white. Each has `colours` samples, then one of alpha.
// `out` may be the same memory as `in`.
void blend_on_white(const std::uint8_t* in, int colours, std::size_t count, std::uint8_t* out);

// Blends `count` samples of one channel, whose alpha samples lie elsewhere, with `shade`, in place.
void blend_on_shade(const std::uint8_t* alpha, std::size_t count, std::uint8_t shade,
                    std::uint8_t* samples);

}  // namespace imgpress::press
