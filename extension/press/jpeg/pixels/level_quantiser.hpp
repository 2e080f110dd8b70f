// Quantises the coefficients of a forward DCT.
#pragma once

#include <algorithm>
#include <cstdint>

#include "press/jpeg/coefficients/quant_table.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/vector_block.hpp"

namespace imgpress::press {

// Samples that are not centred around zero, or have another range than JPEG's.
struct SampleRange {
  float middle = 0;
  float unit = 1;
};

class LevelQuantiser {
 public:
  // Levels are in units of a step / `fineness`, which must not be so small that they overflow.
  LevelQuantiser(const QuantTable& steps, int fineness, const SampleRange& range);

  // `columns`: as forward_dct() leaves them. They are changed.
  template <typename Numbers>
  IMGPRESS_INLINE void quantise(VectorBlock<Numbers>& columns, Block& block) const;

 private:
  alignas(32) float scale_[kSide][kSide];
  float middle_;  // DC, as it comes from the transform
  float white_;   // the same without the middle
  float black_;
  std::int16_t white_level_;
  std::int16_t black_level_;
};

template <typename Numbers>
void LevelQuantiser::quantise(VectorBlock<Numbers>& columns, Block& block) const {
  columns.parts[0][0] -= Numbers{middle_};
  const float dc = columns.parts[0][0][0];
  for (std::size_t part = 0; part < columns.kParts; ++part) {
    for (std::size_t u = 0; u < kSide; ++u) {
      columns.parts[part][u] *=
          *reinterpret_cast<const Numbers*>(scale_[u] + part * columns.kLanes);
    }
  }
  round_columns(columns, block);
  if (dc >= white_) block.at[0] = std::max(block.at[0], white_level_);
  if (dc <= black_) block.at[0] = std::min(block.at[0], black_level_);
}

}  // namespace imgpress::press
