// The discrete cosine transform of a block, in the factorisation of Arai, Agui and Nakajima (1988):
// five multiplications for eight samples. What it leaves out, a constant factor for each frequency,
// is made up for when the coefficients are quantised.
#pragma once

#include <cmath>
#include <cstddef>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/vector_block.hpp"

namespace imgpress::press {

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

// In place. Leaves the coefficients column by column: row u holds those of horizontal frequency u.
template <typename Numbers>
IMGPRESS_INLINE void forward_dct(VectorBlock<Numbers>& block) {
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
