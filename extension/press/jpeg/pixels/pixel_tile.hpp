// Pixels to the samples of blocks, as floating-point numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/pixels/forward_dct.hpp"

namespace imgpress::press {

// The pixels of an MCU in 4:2:0 make four blocks of luma, two across and two down, and one each of
// Cb and Cr.
constexpr std::size_t kTileSide = 2 * kSide;
constexpr std::size_t kTileBlocks = 6;
constexpr std::size_t kFirstChroma = 4;

template <typename Numbers>
struct TileSamples {
  VectorBlock<Numbers> blocks[kTileBlocks];
};

typedef std::uint8_t PixelBytes __attribute__((vector_size(16)));

// Pixels, each in a word: from the lowest byte up its channels, and a byte without a meaning.
template <typename Numbers>
struct PixelsFor;

template <>
struct PixelsFor<Four> {
  typedef std::uint32_t Words __attribute__((vector_size(16)));
  typedef std::int32_t Ints __attribute__((vector_size(16)));

  static IMGPRESS_INLINE void load(const std::uint8_t* pixels, Words& words) {
    words = Words{word(pixels), word(pixels + 3), word(pixels + 6), word(pixels + 8) >> 8};
  }

  static IMGPRESS_INLINE std::uint32_t word(const std::uint8_t* bytes) {
    std::uint32_t word;
    std::memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
  }

  // The sums of neighbours.
  static IMGPRESS_INLINE void add_pairs(const Words& left, const Words& right, Words& sums) {
    sums = __builtin_shufflevector(left, right, 0, 2, 4, 6) +
           __builtin_shufflevector(left, right, 1, 3, 5, 7);
  }
};

template <>
struct PixelsFor<Eight> {
  typedef std::uint32_t Words __attribute__((vector_size(32)));
  typedef std::int32_t Ints __attribute__((vector_size(32)));
  typedef std::uint32_t Quad __attribute__((vector_size(16)));

  static IMGPRESS_INLINE void load(const std::uint8_t* pixels, Words& words) {
    PixelBytes left;
    PixelBytes right;
    std::memcpy(&left, pixels, sizeof left);
    std::memcpy(&right, pixels + 8, sizeof right);
    left = __builtin_shufflevector(  //
        left, left, 0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    right = __builtin_shufflevector(  //
        right, right, 4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
    const auto lefts = reinterpret_cast<Quad>(left);
    const auto rights = reinterpret_cast<Quad>(right);
    words = __builtin_shufflevector(lefts, rights, 0, 1, 2, 3, 4, 5, 6, 7);
  }

  static IMGPRESS_INLINE void add_pairs(const Words& left, const Words& right, Words& sums) {
    sums = __builtin_shufflevector(left, right, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(left, right, 1, 3, 5, 7, 9, 11, 13, 15);
  }
};

constexpr int kMiddle = 128;  // of the range of a sample

// The range of samples in video (ITU-R BT.601).
constexpr std::uint8_t kLeastVideo = 16;
constexpr std::uint8_t kMostVideoLuma = 235;
constexpr std::uint8_t kMostVideoChroma = 240;

// What a sample is made of: parts of the three channels. Chroma comes from the sums of 2 x 2
// pixels.
struct Weights {
  float first, second, third;
};

// The conversion of RGB to YCbCr that JFIF defines, but that chroma is centred around zero.
struct FromRgb {
  static constexpr Weights kLuma = {0.299F, 0.587F, 0.114F};
  static constexpr Weights kBlue = {-0.042183973F, -0.082816027F, 0.125F};
  static constexpr Weights kRed = {0.125F, -0.104671900F, -0.020328100F};
};

struct FromYcc {
  static constexpr Weights kLuma = {1, 0, 0};
  static constexpr Weights kBlue = {0, 0.25F, 0};
  static constexpr Weights kRed = {0, 0, 0.25F};
};

// The first and third channel of some pixels or their sums, sixteen bits each, and the second one.
template <typename Numbers>
struct SplitPixels {
  using Pixels = PixelsFor<Numbers>;
  typename Pixels::Words outer;
  typename Pixels::Words inner;

  IMGPRESS_INLINE void load(const std::uint8_t* pixels) {
    typename Pixels::Words words;
    Pixels::load(pixels, words);
    outer = words & 0x00FF00FFU;
    inner = words >> 8 & 0xFFU;
  }

  IMGPRESS_INLINE void weigh(const Weights& weights, Numbers& sum) const {
    using Ints = typename Pixels::Ints;
    const auto first = reinterpret_cast<Ints>(outer & 0xFFFFU);
    const auto second = reinterpret_cast<Ints>(inner);
    const auto third = reinterpret_cast<Ints>(outer >> 16);
    sum = __builtin_convertvector(first, Numbers) * weights.first +
          __builtin_convertvector(second, Numbers) * weights.second +
          __builtin_convertvector(third, Numbers) * weights.third;
  }
};

// Samples of one channel, as far as they are between `least` and `most`.
template <typename Numbers>
IMGPRESS_INLINE void load_bounded(const std::uint8_t* from, std::uint8_t least, std::uint8_t most,
                                  Numbers& samples) {
  typedef std::uint8_t Narrow __attribute__((vector_size(sizeof(Numbers) / sizeof(float))));
  Narrow bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  bytes = bytes > least ? bytes : Narrow{} + least;
  bytes = bytes < most ? bytes : Narrow{} + most;
  samples = __builtin_convertvector(
      __builtin_convertvector(bytes, typename PixelsFor<Numbers>::Ints), Numbers);
}

// Two rows of pixels, `y` and `y` + 1 of a tile.
template <typename Numbers, typename Colours>
IMGPRESS_INLINE void add_rows(const std::uint8_t* upper, const std::uint8_t* lower, std::size_t y,
                              TileSamples<Numbers>& samples) {
  using Split = SplitPixels<Numbers>;
  using Rows = VectorBlock<Numbers>;
  Rows* const luma = samples.blocks + y / kSide * 2;
  Rows* const chroma = samples.blocks + kFirstChroma;
  for (std::size_t part = 0; part < Rows::kParts; ++part) {
    Split sums[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t vector = 2 * part + i;
      Split above;
      Split below;
      above.load(upper + vector * Rows::kLanes * 3);
      below.load(lower + vector * Rows::kLanes * 3);
      Numbers* const to = luma[vector / Rows::kParts].parts[vector % Rows::kParts] + y % kSide;
      above.weigh(Colours::kLuma, to[0]);
      below.weigh(Colours::kLuma, to[1]);
      sums[i].outer = above.outer + below.outer;
      sums[i].inner = above.inner + below.inner;
    }
    Split halved;
    Split::Pixels::add_pairs(sums[0].outer, sums[1].outer, halved.outer);
    Split::Pixels::add_pairs(sums[0].inner, sums[1].inner, halved.inner);
    halved.weigh(Colours::kBlue, chroma[0].parts[part][y / 2]);
    halved.weigh(Colours::kRed, chroma[1].parts[part][y / 2]);
  }
}

}  // namespace imgpress::press
