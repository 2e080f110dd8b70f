// The discrete cosine transform of a block, in the factorisation of Arai, Agui and Nakajima (1988):
// five multiplications for eight samples. What it leaves out, a constant factor for each frequency,
// is made up for when the coefficients are quantised.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

// Eight numbers, in as many SIMD registers as that takes.
typedef float Eight __attribute__((vector_size(8 * sizeof(float))));

constexpr std::size_t kSide = 8;  // of a block

// Transforms the columns of eight rows.
IMGPRESS_INLINE void transform_columns(Eight* rows) {
  constexpr float kCos2 = 0.923879533F;  // cosines of 2, 4 and 6 sixteenths of pi
  constexpr float kCos4 = 0.707106781F;
  constexpr float kCos6 = 0.382683433F;
  const Eight sum07 = rows[0] + rows[7];
  const Eight sum16 = rows[1] + rows[6];
  const Eight sum25 = rows[2] + rows[5];
  const Eight sum34 = rows[3] + rows[4];
  const Eight less07 = rows[0] - rows[7];
  const Eight less16 = rows[1] - rows[6];
  const Eight less25 = rows[2] - rows[5];
  const Eight less34 = rows[3] - rows[4];

  const Eight outer = sum07 + sum34;
  const Eight inner = sum16 + sum25;
  const Eight outer_less = sum07 - sum34;
  const Eight diagonal = (sum16 - sum25 + outer_less) * kCos4;
  rows[0] = outer + inner;
  rows[4] = outer - inner;
  rows[2] = outer_less + diagonal;
  rows[6] = outer_less - diagonal;

  const Eight first = less34 + less25;
  const Eight second = (less25 + less16) * kCos4;
  const Eight third = less16 + less07;
  const Eight turned = (first - third) * kCos6;
  const Eight low = first * (kCos2 - kCos6) + turned;
  const Eight high = third * (kCos2 + kCos6) + turned;
  const Eight middle = less07 + second;
  const Eight middle_less = less07 - second;
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
IMGPRESS_INLINE void transpose(Eight* rows) {
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

// In place. Leaves the coefficients column by column: row u holds those of horizontal frequency u.
IMGPRESS_INLINE void forward_dct(Eight* rows) {
  transform_columns(rows);
  transpose(rows);
  transform_columns(rows);
}

// What forward_dct() has multiplied a coefficient of these frequencies with.
inline double dct_factor(std::size_t u, std::size_t v) {
  const auto factor = [](std::size_t k) {
    return k == 0 ? 1.0 : std::sqrt(2.0) * std::cos(static_cast<double>(k) * M_PI / 16);
  };
  return 8 * factor(u) * factor(v);
}

}  // namespace imgpress::press
