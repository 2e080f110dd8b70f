#include "press/chroma_halver.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "press/wide_registers.hpp"

namespace imgpress::press {
namespace {

constexpr std::size_t kSide = 8;
constexpr std::size_t kHalf = kSide / 2;

using Matrix = std::array<float, kSide * kSide>;  // row by row

// Value of the nth sample of the kth cosine, of `size` samples, with unit length.
double cosine(std::size_t k, std::size_t n, std::size_t size) {
  const double length = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(size));
  return length *
         std::cos(M_PI * static_cast<double>((2 * n + 1) * k) / static_cast<double>(2 * size));
}

// From four low frequencies of a block and four of its neighbour to the eight of the joined one.
Matrix make_joining() {
  Matrix joining;
  for (std::size_t to = 0; to < kSide; ++to) {
    for (std::size_t from = 0; from < kSide; ++from) {
      double sum = 0;
      for (std::size_t n = 0; n < kHalf; ++n) {
        sum += cosine(to, from / kHalf * kHalf + n, kSide) * cosine(from % kHalf, n, kHalf);
      }
      joining[to * kSide + from] = static_cast<float>(sum / std::sqrt(2.0));
    }
  }
  return joining;
}

Matrix transposed(const Matrix& matrix) {
  Matrix result;
  for (std::size_t i = 0; i < kSide * kSide; ++i) {
    result[i % kSide * kSide + i / kSide] = matrix[i];
  }
  return result;
}

const Matrix kJoining = make_joining();
const Matrix kJoiningTransposed = transposed(kJoining);

// Eight numbers at once, in as many registers as that takes.
typedef float Row __attribute__((vector_size(kSide * sizeof(float))));

inline void multiply(const float* a, const float* b, float* product) {
  Row rows[kSide];
  std::memcpy(rows, b, sizeof rows);
  for (std::size_t i = 0; i < kSide; ++i) {
    Row sum = a[i * kSide] * rows[0];
    for (std::size_t k = 1; k < kSide; ++k) sum += a[i * kSide + k] * rows[k];
    std::memcpy(product + i * kSide, &sum, sizeof sum);
  }
}

IMGPRESS_WIDE_REGISTERS
void join(const float* parts, bool across, bool down, Block& block) {
  float halved[kBlockSize];
  const float* product = parts;
  if (down) {
    multiply(kJoining.data(), parts, halved);
    product = halved;
  }
  float joined[kBlockSize];
  if (across) {
    multiply(product, kJoiningTransposed.data(), joined);
    product = joined;
  }
  constexpr float kLimit = kMaxLevel;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const float exact = product[kZigzag[i]];
    const float bounded = std::min(std::max(exact, -kLimit), kLimit);
    block.at[i] = static_cast<std::int16_t>(bounded + (bounded < 0 ? -0.5F : 0.5F));
  }
}

}  // namespace

ChromaHalver::ChromaHalver(const QuantTable& steps, ChromaFineness fineness) : fineness_(fineness) {
  for (std::size_t i = 0; i < kBlockSize; ++i) steps_[kZigzag[i]] = steps[i];
  for (std::size_t i = 0; i < kBlockSize; ++i) order_[kZigzag[i]] = static_cast<std::uint8_t>(i);
}

// Dequantises the lowest frequencies of `block`.
void ChromaHalver::lay(const Block& block, float* part) const {
  for (std::size_t row = 0; row < (fineness_.down ? kHalf : kSide); ++row) {
    for (std::size_t column = 0; column < (fineness_.across ? kHalf : kSide); ++column) {
      const std::size_t i = row * kSide + column;
      part[i] = static_cast<float>(block.at[order_[i]]) * steps_[i];
    }
  }
}

// The picture mirrored: its odd frequencies negated.
void ChromaHalver::mirror(bool rows, bool columns, float* part) const {
  for (std::size_t row = 0; row < (fineness_.down ? kHalf : kSide); ++row) {
    for (std::size_t column = 0; column < (fineness_.across ? kHalf : kSide); ++column) {
      const bool negated = (rows && row % 2 == 1) != (columns && column % 2 == 1);
      if (negated) part[row * kSide + column] *= -1;
    }
  }
}

void ChromaHalver::halve(const Neighbours& blocks, Block& halved) const {
  alignas(32) float parts[kBlockSize];
  for (std::size_t below = 0; below < (fineness_.down ? 2 : 1); ++below) {
    const bool no_lower = below == 1 && blocks.lower[0] == nullptr;
    const Block* const* row = below == 1 && !no_lower ? blocks.lower : blocks.upper;
    for (std::size_t right = 0; right < (fineness_.across ? 2 : 1); ++right) {
      const bool no_right = right == 1 && row[1] == nullptr;
      float* const part = parts + below * kHalf * kSide + right * kHalf;
      lay(*row[no_right ? 0 : right], part);
      if (no_right || no_lower) mirror(no_lower, no_right, part);
    }
  }
  join(parts, fineness_.across, fineness_.down, halved);
}

}  // namespace imgpress::press
