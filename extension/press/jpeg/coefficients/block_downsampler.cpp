#include "press/jpeg/coefficients/block_downsampler.hpp"

#include <algorithm>
#include <cmath>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

constexpr std::size_t kSide = 8;
constexpr std::size_t kHalf = kSide / 2;

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

// Eight numbers, in as many SIMD registers as that takes.
typedef float Row __attribute__((vector_size(kSide * sizeof(float))));

// Each column holds the four low frequencies of one block above those of the other; they become the
// eight frequencies of the joined block.
IMGPRESS_INLINE void join_columns(Row* rows) {
  Row sums[kHalf];
  Row differences[kHalf];
  for (std::size_t n = 0; n < kHalf; ++n) {
    const Row mirrored = n % 2 == 0 ? rows[kHalf + n] : -rows[kHalf + n];
    sums[n] = rows[n] + mirrored;
    differences[n] = rows[n] - mirrored;
  }
  for (std::size_t k = 0; k < kSide; ++k) {
    const Row* const from = k % 2 == 0 ? sums : differences;
    rows[k] = kJoining[k][0] * from[0];
    for (std::size_t n = 1; n < kHalf; ++n) rows[k] += kJoining[k][n] * from[n];
  }
}

IMGPRESS_INLINE void transpose(Row* rows) {
  Row columns[kSide];
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t k = 0; k < kSide; ++k) columns[i][k] = rows[k][i];
  }
  std::copy(columns, columns + kSide, rows);
}

// `indices`: for each coefficient in zigzag order, its index in `rows` afterwards.
IMGPRESS_CPU_TARGETS
void join(Row* rows, HalvedAxes axes, const std::uint8_t* indices, Block& block) {
  if (axes.down) join_columns(rows);
  if (axes.across) {
    transpose(rows);
    join_columns(rows);
  }
  std::int16_t rounded[kBlockSize];
  constexpr float kLimit = kMaxLevel;
  const float* const exact = reinterpret_cast<const float*>(rows);
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const float bounded = std::min(std::max(exact[i], -kLimit), kLimit);
    rounded[i] = static_cast<std::int16_t>(bounded + (bounded < 0 ? -0.5F : 0.5F));
  }
  for (std::size_t i = 0; i < kBlockSize; ++i) block.at[i] = rounded[indices[i]];
}

}  // namespace

BlockDownsampler::BlockDownsampler(const QuantTable& steps, HalvedAxes axes) : axes_(axes) {
  for (std::size_t i = 0; i < kBlockSize; ++i) steps_[kZigzag[i]] = steps[i];
  for (std::size_t i = 0; i < kBlockSize; ++i) zigzag_[kZigzag[i]] = static_cast<std::uint8_t>(i);
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const unsigned index = kZigzag[i];
    indices_[i] = static_cast<std::uint8_t>(axes.across ? index % 8 * 8 + index / 8 : index);
  }
}

// Only the low frequencies, which are all that is needed.
void BlockDownsampler::dequantise(const Block& block, float* part) const {
  for (std::size_t row = 0; row < (axes_.down ? kHalf : kSide); ++row) {
    for (std::size_t column = 0; column < (axes_.across ? kHalf : kSide); ++column) {
      const std::size_t i = row * kSide + column;
      part[i] = static_cast<float>(block.at[zigzag_[i]]) * steps_[i];
    }
  }
}

// Mirrors the samples, which negates their odd frequencies.
void BlockDownsampler::mirror(bool rows, bool columns, float* part) const {
  for (std::size_t row = 0; row < (axes_.down ? kHalf : kSide); ++row) {
    for (std::size_t column = 0; column < (axes_.across ? kHalf : kSide); ++column) {
      const bool negated = (rows && row % 2 == 1) != (columns && column % 2 == 1);
      if (negated) part[row * kSide + column] *= -1;
    }
  }
}

void BlockDownsampler::downsample(const Neighbours& blocks, Block& halved) const {
  Row rows[kSide];
  auto* const parts = reinterpret_cast<float*>(rows);
  for (std::size_t below = 0; below < (axes_.down ? 2 : 1); ++below) {
    const bool no_lower = below == 1 && blocks.lower[0] == nullptr;
    const Block* const* row = below == 1 && !no_lower ? blocks.lower : blocks.upper;
    for (std::size_t right = 0; right < (axes_.across ? 2 : 1); ++right) {
      const bool no_right = right == 1 && row[1] == nullptr;
      float* const part = parts + below * kHalf * kSide + right * kHalf;
      dequantise(*row[no_right ? 0 : right], part);
      if (no_right || no_lower) mirror(no_lower, no_right, part);
    }
  }
  join(rows, axes_, indices_.data(), halved);
}

}  // namespace imgpress::press
