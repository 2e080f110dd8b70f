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

// The steps with which effort "small" requantises from steps `from`, where `to` is what it would
// give a picture without loss. `standard`: libjpeg's for the same quality.
//   - A step that would be less than 1.4 times the source's stays. Levels would keep their bits and
//     lose their exact values.
//   - The others are the root of to^2 + 2 from^2. Decoding and encoding adds the errors of both
//     quantisations up; here each level is decided with both steps in view, so that for the same
//     error the second may be coarser. It begins at twice the source's, where even levels are
//     exact.
//   - None grows by more than the cube of libjpeg's average growth. Of a source that is nearly as
//     coarse as the result libjpeg loses next to nothing, and so must we.
QuantTable steps_between(const QuantTable& from, const QuantTable& to, const QuantTable& standard);

struct QualityTables {
  QuantTable luma;
  QuantTable chroma;
};

// Whether the source has texture that is lost with libjpeg's steps for the wanted quality.
enum class SourceDetail { kFine, kCoarse };

// `standard`: libjpeg's steps for the wanted quality. Pixels are always fine.
SourceDetail detail_of(const QuantTable& source, const QuantTable& standard);

// The tables of effort "small" for a quality of 1 to 100. In them images look at least as good, by
// SSIMULACRA2 and butteraugli, as in the standard tables with the same quality, but for few. For
// fine sources luma is finer and chroma coarser.
QualityTables visual_tables(int quality, SourceDetail detail);

}  // namespace imgpress::press
