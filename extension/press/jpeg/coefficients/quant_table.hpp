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

// The steps with which effort "small" requantises. In a step that is only a little coarser than the
// source's, levels would keep their bits and lose their exact values. So up to 5/4 of the source's
// it stays, and up to 5/2 it is twice the source's, so that even levels are stored exactly.
QuantTable whole_multiples(const QuantTable& from, const QuantTable& to);

// Whether the low frequencies of `from`, which most levels belong to, have steps of at least about
// half of those in `to`. Then visual_tables() are no good: a step that is only a little coarser
// than the source's takes more than it should, and twice the source's is more than was asked for.
// The standard tables serve such sources better, whose steps often have their shape.
bool is_nearly_as_coarse(const QuantTable& from, const QuantTable& to);

struct QualityTables {
  QuantTable luma;
  QuantTable chroma;
};

// The tables of effort "small" for a quality of 1 to 100. In them an image looks at least as good,
// by SSIMULACRA2 and butteraugli, as in the standard tables with the same quality.
QualityTables visual_tables(int quality);

}  // namespace imgpress::press
