#include "press/codec/pixel_image.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace imgpress::press {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Pixels of these channels and one of alpha, of all values.
Bytes all_blends(int colours) {
  Bytes pixels;
  for (int alpha = 0; alpha < 256; ++alpha) {
    for (int value = 0; value < 256; ++value) {
      for (int c = 0; c < colours; ++c) pixels.push_back(std::uint8_t(value + c));
      pixels.push_back(std::uint8_t(alpha));
    }
  }
  return pixels;
}

std::uint8_t blended(int value, int alpha) {
  return std::uint8_t(std::lround((value * alpha + 255 * (255 - alpha)) / 255.0));
}

TEST(PixelImage, IsBlendedWithWhiteToTheNearestValue) {
  for (const int colours : {1, 3}) {
    const Bytes pixels = all_blends(colours);
    Bytes expected;
    for (int alpha = 0; alpha < 256; ++alpha) {
      for (int value = 0; value < 256; ++value) {
        for (int c = 0; c < colours; ++c) {
          expected.push_back(blended(std::uint8_t(value + c), alpha));
        }
      }
    }
    Bytes out(expected.size());
    blend_on_white(pixels.data(), colours, 256 * 256, out.data());
    EXPECT_EQ(out, expected);

    Bytes in_place = pixels;
    blend_on_white(in_place.data(), colours, 256 * 256, in_place.data());
    in_place.resize(expected.size());
    EXPECT_EQ(in_place, expected);
  }
}

TEST(PixelImage, SamplesAreBlendedWithAShadeToTheNearestValue) {
  Bytes alphas;
  Bytes samples;
  for (int i = 0; i < 256 * 256; ++i) {
    alphas.push_back(std::uint8_t(i / 256));
    samples.push_back(std::uint8_t(i));
  }
  for (const int shade : {0, 128, 235, 255}) {
    for (const std::size_t count : {0, 1, 15, 16, 31, 256 * 256}) {
      Bytes expected = samples;
      for (std::size_t i = 0; i < count; ++i) {
        expected[i] =
            std::uint8_t(std::lround((samples[i] * alphas[i] + shade * (255 - alphas[i])) / 255.0));
      }
      Bytes mixed = samples;
      blend_on_shade(alphas.data(), count, std::uint8_t(shade), mixed.data());
      EXPECT_EQ(mixed, expected) << shade << " " << count;
    }
  }
}

TEST(PixelImage, NothingIsWrittenBehindTheBlendedPixels) {
  for (const int colours : {1, 3}) {
    const Bytes pixels = all_blends(colours);
    for (std::size_t count = 0; count < 30; ++count) {
      Bytes out(100, 77);
      blend_on_white(pixels.data(), colours, count, out.data());
      const std::size_t end = count * std::size_t(colours);
      EXPECT_EQ(Bytes(out.begin() + std::ptrdiff_t(end), out.end()), Bytes(100 - end, 77));
    }
  }
}

}  // namespace
}  // namespace imgpress::press
