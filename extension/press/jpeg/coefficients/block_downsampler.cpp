#include "press/jpeg/coefficients/block_downsampler.hpp"

#include <cmath>
#include <cstring>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/vector_block.hpp"

namespace imgpress::press {
namespace {

constexpr std::size_t kHalf = kSide / 2;

// For each coefficient row by row, its place in zigzag order.
constexpr std::array<std::uint8_t, kBlockSize> make_zigzag_indices() {
  std::array<std::uint8_t, kBlockSize> indices{};
  for (std::size_t i = 0; i < kBlockSize; ++i) indices[kZigzag[i]] = static_cast<std::uint8_t>(i);
  return indices;
}

constexpr auto kZigzagIndices = make_zigzag_indices();

// Sample n of basis function k of the orthonormal DCT of `size` points.
double cosine(std::size_t k, std::size_t n, std::size_t size) {
  const double length = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(size));
  return length *
         std::cos(M_PI * static_cast<double>((2 * n + 1) * k) / static_cast<double>(2 * size));
}

// The matrix from the four low frequencies of the first block to the eight of the joined block.
// That of the second block is its mirror image: the sign of odd frequencies changes on both sides.
using Joining = std::array<std::array<float, kHalf>, kSide>;

Joining make_joining() {
  Joining joining;
  for (std::size_t to = 0; to < kSide; ++to) {
    for (std::size_t from = 0; from < kHalf; ++from) {
      double sum = 0;
      for (std::size_t n = 0; n < kHalf; ++n) {
        sum += cosine(to, n, kSide) * cosine(from, n, kHalf);
      }
      joining[to][from] = static_cast<float>(sum / std::sqrt(2.0));
    }
  }
  return joining;
}

const Joining kJoining = make_joining();

// Each column holds the four low frequencies of one block above those of the other; they become the
// eight frequencies of the joined block.
template <typename Numbers>
IMGPRESS_INLINE void join_columns(Numbers* rows) {
  Numbers sums[kHalf];
  Numbers differences[kHalf];
#pragma GCC unroll 4
  for (std::size_t n = 0; n < kHalf; ++n) {
    const Numbers mirrored = n % 2 == 0 ? rows[kHalf + n] : -rows[kHalf + n];
    sums[n] = rows[n] + mirrored;
    differences[n] = rows[n] - mirrored;
  }
#pragma GCC unroll 8
  for (std::size_t k = 0; k < kSide; ++k) {
    const Numbers* const from = k % 2 == 0 ? sums : differences;
    rows[k] = kJoining[k][0] * from[0] + kJoining[k][1] * from[1] + kJoining[k][2] * from[2] +
              kJoining[k][3] * from[3];
  }
}

IMGPRESS_INLINE void set_row(VectorBlock<Four>& block, std::size_t y, Four left, Four right) {
  block.parts[0][y] = left;
  block.parts[1][y] = right;
}

#ifdef IMGPRESS_AVX2
IMGPRESS_INLINE void set_row(VectorBlock<Eight>& block, std::size_t y, Four left, Four right) {
  block.parts[0][y] = __builtin_shufflevector(left, right, 0, 1, 2, 3, 4, 5, 6, 7);
}
#endif

// Four dequantised coefficients in a row. `i`: the first one's index, row by row.
IMGPRESS_INLINE Four four_of(const Block& block, std::size_t i, const float* steps) {
  typedef std::int32_t Levels __attribute__((vector_size(sizeof(Four))));
  const std::uint8_t* const at = kZigzagIndices.data() + i;
  const Levels levels{block.at[at[0]], block.at[at[1]], block.at[at[2]], block.at[at[3]]};
  Four exact;
  std::memcpy(&exact, steps + i, sizeof exact);
  return exact * __builtin_convertvector(levels, Four);
}

template <typename Numbers>
IMGPRESS_INLINE void join(const BlockDownsampler::Neighbours& blocks, HalvedAxes axes,
                          const float* steps, Block& halved) {
  VectorBlock<Numbers> joined;
  const Four odd_negated = {1, -1, 1, -1};
  for (std::size_t below = 0; below < (axes.down ? 2 : 1); ++below) {
    const bool no_lower = below == 1 && blocks.lower[0] == nullptr;
    const Block* const* row = below == 1 && !no_lower ? blocks.lower : blocks.upper;
    const bool no_right = axes.across && row[1] == nullptr;
    const Block& right_block = *row[axes.across && !no_right ? 1 : 0];
    for (std::size_t y = 0; y < (axes.down ? kHalf : kSide); ++y) {
      Four left = four_of(*row[0], y * kSide, steps);
      Four right = four_of(right_block, y * kSide + (axes.across ? 0 : kHalf), steps);
      // To mirror the samples negates their odd frequencies.
      if (no_right) right *= odd_negated;
      if (no_lower && y % 2 == 1) {
        left = -left;
        right = -right;
      }
      set_row(joined, below * kHalf + y, left, right);
    }
  }
  if (axes.down) {
    for (Numbers* const part : joined.parts) join_columns(part);
  }
  transpose(joined);
  for (Numbers* const part : joined.parts) {
    if (axes.across) join_columns(part);
    constexpr float kLimit = kMaxLevel;
    const Numbers most = Numbers{} + kLimit;
    const Numbers least = Numbers{} - kLimit;
    for (std::size_t i = 0; i < kSide; ++i) {
      part[i] = part[i] < most ? part[i] : most;
      part[i] = part[i] > least ? part[i] : least;
    }
  }
  round_columns(joined, halved);
}

IMGPRESS_ANY_CPU
void join_any(const BlockDownsampler::Neighbours& blocks, HalvedAxes axes, const float* steps,
              Block& halved) {
  join<Four>(blocks, axes, steps, halved);
}

#ifdef IMGPRESS_AVX2
IMGPRESS_AVX2
void join_any(const BlockDownsampler::Neighbours& blocks, HalvedAxes axes, const float* steps,
              Block& halved) {
  join<Eight>(blocks, axes, steps, halved);
}
#endif

}  // namespace

BlockDownsampler::BlockDownsampler(const QuantTable& steps, HalvedAxes axes) : axes_(axes) {
  for (std::size_t i = 0; i < kBlockSize; ++i) steps_[kZigzag[i]] = steps[i];
}

void BlockDownsampler::downsample(const Neighbours& blocks, Block& halved) const {
  join_any(blocks, axes_, steps_.data(), halved);
}

}  // namespace imgpress::press
