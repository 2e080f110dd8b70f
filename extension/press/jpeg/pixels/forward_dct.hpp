// The discrete cosine transform of a block, in the factorisation of Arai, Agui and Nakajima (1988):
// five multiplications for eight samples. What it leaves out, a constant factor for each frequency,
// is made up for when the coefficients are quantised.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

// Numbers in a SIMD register: of any x86-64, and of AVX2. The compiler splits longer ones than the
// CPU has, but makes them go through memory.
typedef float Four __attribute__((vector_size(4 * sizeof(float))));
typedef float Eight __attribute__((vector_size(8 * sizeof(float))));

constexpr std::size_t kSide = 8;  // of a block

// The rows of a block: whole ones, or the left halves and the right ones.
template <typename Numbers>
struct BlockRows {
  static constexpr std::size_t kLanes = sizeof(Numbers) / sizeof(float);
  static constexpr std::size_t kParts = kSide / kLanes;

  Numbers parts[kParts][kSide];
};

// Transforms the columns of eight rows.
template <typename Numbers>
IMGPRESS_INLINE void transform_columns(Numbers* rows) {
  constexpr float kCos2 = 0.923879533F;  // cosines of 2, 4 and 6 sixteenths of pi
  constexpr float kCos4 = 0.707106781F;
  constexpr float kCos6 = 0.382683433F;
  const Numbers sum07 = rows[0] + rows[7];
  const Numbers sum16 = rows[1] + rows[6];
  const Numbers sum25 = rows[2] + rows[5];
  const Numbers sum34 = rows[3] + rows[4];
  const Numbers less07 = rows[0] - rows[7];
  const Numbers less16 = rows[1] - rows[6];
  const Numbers less25 = rows[2] - rows[5];
  const Numbers less34 = rows[3] - rows[4];

  const Numbers outer = sum07 + sum34;
  const Numbers inner = sum16 + sum25;
  const Numbers outer_less = sum07 - sum34;
  const Numbers diagonal = (sum16 - sum25 + outer_less) * kCos4;
  rows[0] = outer + inner;
  rows[4] = outer - inner;
  rows[2] = outer_less + diagonal;
  rows[6] = outer_less - diagonal;

  const Numbers first = less34 + less25;
  const Numbers second = (less25 + less16) * kCos4;
  const Numbers third = less16 + less07;
  const Numbers turned = (first - third) * kCos6;
  const Numbers low = first * (kCos2 - kCos6) + turned;
  const Numbers high = third * (kCos2 + kCos6) + turned;
  const Numbers middle = less07 + second;
  const Numbers middle_less = less07 - second;
  rows[5] = middle_less + low;
  rows[3] = middle_less - low;
  rows[1] = middle + high;
  rows[7] = middle - high;
}

// Each exchanges half of the numbers in two rows: the odd places of `a` for the even ones of `b`,
// then likewise for places in twos and in fours.
IMGPRESS_INLINE void exchange_ones(Eight& a, Eight& b) {
  const Eight even = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  b = __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  a = even;
}

IMGPRESS_INLINE void exchange_twos(Eight& a, Eight& b) {
  const Eight even = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  b = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  a = even;
}

IMGPRESS_INLINE void exchange_fours(Eight& a, Eight& b) {
  const Eight even = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
  b = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  a = even;
}

// Without loops, so that the rows stay in registers.
IMGPRESS_INLINE void transpose(BlockRows<Eight>& block) {
  Eight* const rows = block.parts[0];
  exchange_ones(rows[0], rows[1]);
  exchange_ones(rows[2], rows[3]);
  exchange_ones(rows[4], rows[5]);
  exchange_ones(rows[6], rows[7]);
  exchange_twos(rows[0], rows[2]);
  exchange_twos(rows[1], rows[3]);
  exchange_twos(rows[4], rows[6]);
  exchange_twos(rows[5], rows[7]);
  exchange_fours(rows[0], rows[4]);
  exchange_fours(rows[1], rows[5]);
  exchange_fours(rows[2], rows[6]);
  exchange_fours(rows[3], rows[7]);
}

IMGPRESS_INLINE void transpose_quarter(Four* rows) {
  const Four upper = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const Four upper_right = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const Four lower = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const Four lower_right = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(upper, lower, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(upper, lower, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(upper_right, lower_right, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(upper_right, lower_right, 2, 3, 6, 7);
}

IMGPRESS_INLINE void transpose(BlockRows<Four>& block) {
  constexpr std::size_t kHalf = kSide / 2;
  for (Four* const part : {block.parts[0], block.parts[1]}) {
    transpose_quarter(part);
    transpose_quarter(part + kHalf);
  }
  for (std::size_t i = 0; i < kHalf; ++i) std::swap(block.parts[0][kHalf + i], block.parts[1][i]);
}

// In place. Leaves the coefficients column by column: row u holds those of horizontal frequency u.
template <typename Numbers>
IMGPRESS_INLINE void forward_dct(BlockRows<Numbers>& block) {
  for (Numbers* const part : block.parts) transform_columns(part);
  transpose(block);
  for (Numbers* const part : block.parts) transform_columns(part);
}

// What forward_dct() has multiplied a coefficient of these frequencies with.
inline double dct_factor(std::size_t u, std::size_t v) {
  const auto factor = [](std::size_t k) {
    return k == 0 ? 1.0 : std::sqrt(2.0) * std::cos(static_cast<double>(k) * M_PI / 16);
  };
  return 8 * factor(u) * factor(v);
}

}  // namespace imgpress::press
