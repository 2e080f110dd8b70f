#include "press/jpeg/pixels/level_quantiser.hpp"

#include <algorithm>
#include <cmath>

namespace imgpress::press {

namespace {

// Where quantise() puts the level of row `u` and column `v`: rows are paired.
std::size_t index_of(std::size_t u, std::size_t v) {
  constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  const std::size_t second = u % 2;
  return u / 2 * 2 * kSide + 2 * v + (kLittleEndian ? second : 1 - second);
}

}  // namespace

LevelQuantiser::LevelQuantiser(const QuantTable& steps, int fineness) {
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const std::size_t v = kZigzag[i] / kSide;
    const std::size_t u = kZigzag[i] % kSide;
    place_[index_of(u, v)] = static_cast<std::uint8_t>(i);
    scale_[u][v] = static_cast<float>(fineness / (dct_factor(u, v) * steps[i]));
  }
  const double dc_step = static_cast<double>(steps[0]) / fineness;
  white_ = static_cast<float>(kWhiteDc * dct_factor(0, 0));
  black_ = static_cast<float>(kBlackDc * dct_factor(0, 0));
  white_level_ = static_cast<std::int16_t>(std::ceil(kWhiteDc / dc_step));
  black_level_ = static_cast<std::int16_t>(std::floor(kBlackDc / dc_step));
}

}  // namespace imgpress::press
