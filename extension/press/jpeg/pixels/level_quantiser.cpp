#include "press/jpeg/pixels/level_quantiser.hpp"

#include <algorithm>
#include <cmath>

#include "press/jpeg/pixels/forward_dct.hpp"

namespace imgpress::press {

LevelQuantiser::LevelQuantiser(const QuantTable& steps, int fineness, const SampleRange& range) {
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const std::size_t v = kZigzag[i] / kSide;
    const std::size_t u = kZigzag[i] % kSide;
    scale_[u][v] = static_cast<float>(fineness / (dct_factor(u, v) * steps[i] * range.unit));
  }
  const double dc_step = static_cast<double>(steps[0]) / fineness;
  const double dc_unit = dct_factor(0, 0) * range.unit;
  middle_ = static_cast<float>(8 * range.middle * dct_factor(0, 0));
  white_ = static_cast<float>(kWhiteDc * dc_unit);
  black_ = static_cast<float>(kBlackDc * dc_unit);
  white_level_ = static_cast<std::int16_t>(std::ceil(kWhiteDc / dc_step));
  black_level_ = static_cast<std::int16_t>(std::floor(kBlackDc / dc_step));
}

}  // namespace imgpress::press
