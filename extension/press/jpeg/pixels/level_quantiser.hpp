// Quantises the coefficients of a forward DCT.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "press/jpeg/coefficients/quant_table.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/pixels/forward_dct.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

// Where LevelQuantiser has the level of row `u` and column `v` at first: rows are paired.
constexpr std::size_t index_of(std::size_t u, std::size_t v) {
  constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  const std::size_t second = u % 2;
  return u / 2 * 2 * kSide + 2 * v + (kLittleEndian ? second : 1 - second);
}

// For each of these indices, its place in zigzag order.
constexpr std::array<std::uint8_t, kBlockSize> make_places() {
  std::array<std::uint8_t, kBlockSize> places{};
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    places[index_of(kZigzag[i] % kSide, kZigzag[i] / kSide)] = static_cast<std::uint8_t>(i);
  }
  return places;
}

constexpr auto kPlaces = make_places();

class LevelQuantiser {
 public:
  // Levels are in units of a step / `fineness`, which must not be so small that they overflow.
  // `middle`: of the range of the samples.
  LevelQuantiser(const QuantTable& steps, int fineness, int middle);

  // `rows`: as forward_dct() leaves them.
  template <typename Numbers>
  IMGPRESS_INLINE void quantise(BlockRows<Numbers>& rows, Block& block) const;

 private:
  // A number to which small ones are added so that they are rounded to integers, which are then the
  // lower bits of the sum.
  static constexpr float kRounder = 3 << 22;

  // From here on it takes less time to move all levels than to find those that are not zero.
  static constexpr int kDense = 16;

  template <typename Numbers>
  IMGPRESS_INLINE void scale(const Numbers* rows, std::size_t first_column,
                             std::int16_t* levels) const;

  alignas(32) float scale_[kSide][kSide];
  float middle_;  // DC, as it comes from the transform
  float white_;   // the same without the middle
  float black_;
  std::int16_t white_level_;
  std::int16_t black_level_;
};

template <typename Numbers>
void LevelQuantiser::scale(const Numbers* rows, std::size_t first_column,
                           std::int16_t* levels) const {
  // Two levels in each number.
  typedef std::uint32_t Pairs __attribute__((vector_size(sizeof(Numbers))));
  for (std::size_t i = 0; i < kSide; i += 2) {
    const Numbers* const upper = reinterpret_cast<const Numbers*>(scale_[i] + first_column);
    const Numbers* const lower = reinterpret_cast<const Numbers*>(scale_[i + 1] + first_column);
    const Numbers first = rows[i] * *upper + kRounder;
    const Numbers second = rows[i + 1] * *lower + kRounder;
    const Pairs pairs = (reinterpret_cast<Pairs>(first) & 0xFFFFU) | reinterpret_cast<Pairs>(second)
                                                                         << 16U;
    std::memcpy(levels + i * kSide + 2 * first_column, &pairs, sizeof pairs);
  }
}

template <typename Numbers>
void LevelQuantiser::quantise(BlockRows<Numbers>& rows, Block& block) const {
  rows.parts[0][0] -= Numbers{middle_};
  Block levels;
  for (std::size_t i = 0; i < rows.kParts; ++i) scale(rows.parts[i], i * rows.kLanes, levels.at);
  std::uint64_t nonzero = nonzero_in(levels);
  if (__builtin_popcountll(nonzero) >= kDense) {
#pragma GCC unroll 64
    for (std::size_t i = 0; i < kBlockSize; ++i) block.at[kPlaces[i]] = levels.at[i];
  } else {
    clear(block);
    for (; nonzero != 0; nonzero &= nonzero - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctzll(nonzero));
      block.at[kPlaces[i]] = levels.at[i];
    }
  }
  const float dc = rows.parts[0][0][0];
  if (dc >= white_) block.at[0] = std::max(block.at[0], white_level_);
  if (dc <= black_) block.at[0] = std::min(block.at[0], black_level_);
}

}  // namespace imgpress::press
