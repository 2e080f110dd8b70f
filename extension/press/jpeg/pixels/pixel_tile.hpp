// Pixels to the samples of blocks, as floating-point numbers around zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/pixels/forward_dct.hpp"

namespace imgpress::press {

// The pixels of an MCU in 4:2:0 make four blocks of luma, two across and two down, and one each of
// Cb and Cr.
constexpr std::size_t kTileSide = 2 * kSide;
constexpr std::size_t kTileBlocks = 6;
constexpr std::size_t kFirstChroma = 4;

struct TileSamples {
  Eight blocks[kTileBlocks][kSide];
};

typedef std::uint8_t SixteenBytes __attribute__((vector_size(16)));
typedef std::uint16_t SixteenSamples __attribute__((vector_size(32)));
typedef std::uint32_t EightPairs __attribute__((vector_size(32)));
typedef std::int32_t EightInts __attribute__((vector_size(32)));

constexpr float kMiddle = 128;  // of the range of a sample

// Sixteen samples of a channel, in two vectors.
struct Samples {
  Eight even;
  Eight odd;

  IMGPRESS_INLINE void convert(const SixteenBytes& bytes) {
    const auto pairs = reinterpret_cast<EightPairs>(__builtin_convertvector(bytes, SixteenSamples));
    even = __builtin_convertvector(reinterpret_cast<EightInts>(pairs & 0xFFFFU), Eight);
    odd = __builtin_convertvector(reinterpret_cast<EightInts>(pairs >> 16U), Eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    std::swap(even, odd);
#endif
  }

  IMGPRESS_INLINE void split(Eight& left, Eight& right) const {
    left = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
    right = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
  }
};

// One row of sixteen pixels: its three channels.
struct TileRow {
  Samples channels[3];

  IMGPRESS_INLINE explicit TileRow(const std::uint8_t* pixels) {
    SixteenBytes a;
    SixteenBytes b;
    SixteenBytes c;
    std::memcpy(&a, pixels, sizeof a);
    std::memcpy(&b, pixels + sizeof a, sizeof b);
    std::memcpy(&c, pixels + sizeof a + sizeof b, sizeof c);
    const SixteenBytes first = __builtin_shufflevector(  //
        a, b, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, -1, -1, -1, -1, -1);
    const SixteenBytes second = __builtin_shufflevector(  //
        a, b, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, -1, -1, -1, -1, -1);
    const SixteenBytes third = __builtin_shufflevector(  //
        a, b, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, -1, -1, -1, -1, -1, -1);
    channels[0].convert(__builtin_shufflevector(  //
        first, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29));
    channels[1].convert(__builtin_shufflevector(  //
        second, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30));
    channels[2].convert(__builtin_shufflevector(  //
        third, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31));
  }
};

// The conversion of RGB to YCbCr that JFIF defines. `sums`: of 2 x 2 pixels, for each channel.
struct FromRgb {
  static IMGPRESS_INLINE void luma(const TileRow& row, Samples& luma) {
    const Samples& red = row.channels[0];
    const Samples& green = row.channels[1];
    const Samples& blue = row.channels[2];
    luma.even = red.even * 0.299F + green.even * 0.587F + (blue.even * 0.114F - kMiddle);
    luma.odd = red.odd * 0.299F + green.odd * 0.587F + (blue.odd * 0.114F - kMiddle);
  }
  static IMGPRESS_INLINE void chroma(const Eight* sums, Eight& blue, Eight& red) {
    blue = sums[2] * 0.125F - (sums[0] * 0.042183973F + sums[1] * 0.082816027F);
    red = sums[0] * 0.125F - (sums[1] * 0.104671900F + sums[2] * 0.020328100F);
  }
};

struct FromYcc {
  static IMGPRESS_INLINE void luma(const TileRow& row, Samples& luma) {
    luma.even = row.channels[0].even - kMiddle;
    luma.odd = row.channels[0].odd - kMiddle;
  }
  static IMGPRESS_INLINE void chroma(const Eight* sums, Eight& blue, Eight& red) {
    blue = sums[1] * 0.25F - kMiddle;
    red = sums[2] * 0.25F - kMiddle;
  }
};

// Two rows of pixels, `y` and `y` + 1 of a tile.
template <typename Colours>
IMGPRESS_INLINE void add_rows(const std::uint8_t* upper, const std::uint8_t* lower, std::size_t y,
                              TileSamples& samples) {
  const TileRow rows[2] = {TileRow(upper), TileRow(lower)};
  Eight(*const luma)[kSide] = samples.blocks + y / kSide * 2;
  for (std::size_t i = 0; i < 2; ++i) {
    Samples row;
    Colours::luma(rows[i], row);
    row.split(luma[0][y % kSide + i], luma[1][y % kSide + i]);
  }
  Eight sums[3];
  for (std::size_t c = 0; c < 3; ++c) {
    const Samples& above = rows[0].channels[c];
    const Samples& below = rows[1].channels[c];
    sums[c] = (above.even + above.odd) + (below.even + below.odd);
  }
  Eight(*const chroma)[kSide] = samples.blocks + kFirstChroma;
  Colours::chroma(sums, chroma[0][y / 2], chroma[1][y / 2]);
}

}  // namespace imgpress::press
