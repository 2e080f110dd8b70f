// Quantisation tables: the step size of each of the 64 frequencies.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "press/jpeg/coefficients/block.hpp"

namespace imgpress::press {

// In zigzag order.
using QuantTable = std::array<std::uint16_t, kBlockSize>;

// The larger step of each frequency.
inline QuantTable coarser_of(const QuantTable& a, const QuantTable& b) {
  QuantTable coarser;
  for (std::size_t i = 0; i < kBlockSize; ++i) coarser[i] = std::max(a[i], b[i]);
  return coarser;
}

}  // namespace imgpress::press
