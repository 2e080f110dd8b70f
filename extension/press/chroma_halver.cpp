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
void join(const float* parts, bool across, bool down, std::int16_t* block) {
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
    const float bounded = std::min(std::max(product[i], -kLimit), kLimit);
    block[i] = static_cast<std::int16_t>(bounded + (bounded < 0 ? -0.5F : 0.5F));
  }
}

// How much of a block makes a part of the joined one.
struct Extent {
  std::size_t rows;
  std::size_t columns;
};

// Dequantises the lowest frequencies of `block`.
void lay(const std::int16_t* block, const float* steps, Extent extent, float* part) {
  for (std::size_t row = 0; row < extent.rows; ++row) {
    for (std::size_t column = 0; column < extent.columns; ++column) {
      const std::size_t i = row * kSide + column;
      part[i] = static_cast<float>(block[i]) * steps[i];
    }
  }
}

// The picture mirrored: its odd frequencies negated.
void mirror(bool rows, bool columns, Extent extent, float* part) {
  for (std::size_t row = 0; row < extent.rows; ++row) {
    for (std::size_t column = 0; column < extent.columns; ++column) {
      const bool negated = (rows && row % 2 == 1) != (columns && column % 2 == 1);
      if (negated) part[row * kSide + column] *= -1;
    }
  }
}

}  // namespace

ChromaHalver::ChromaHalver(const QuantTable& steps, bool across, bool down)
    : across_(across), down_(down) {
  std::copy(steps.begin(), steps.end(), steps_.begin());
}

void ChromaHalver::halve(const std::int16_t* upper, const std::int16_t* lower, std::size_t width,
                         std::int16_t* halved) const {
  const Extent extent{down_ ? kHalf : kSide, across_ ? kHalf : kSide};
  const std::size_t parts_across = across_ ? 2 : 1;
  const std::size_t parts_down = down_ ? 2 : 1;
  for (std::size_t x = 0; x < width; x += parts_across, halved += kBlockSize) {
    alignas(32) float parts[kBlockSize];
    for (std::size_t i = 0; i < parts_across * parts_down; ++i) {
      const std::size_t right = i % parts_across;
      const bool below = i >= parts_across;
      const bool no_right = x + right == width;
      const bool no_lower = below && lower == nullptr;
      const std::int16_t* row = below && !no_lower ? lower : upper;
      float* part = parts + (below ? kHalf * kSide : 0) + right * kHalf;
      lay(row + (no_right ? x : x + right) * kBlockSize, steps_.data(), extent, part);
      if (no_right || no_lower) mirror(no_lower, no_right, extent, part);
    }
    join(parts, across_, down_, halved);
  }
}

}  // namespace imgpress::press
