#include "press/jpeg/coefficients/block_requantiser.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

// The upper of two levels, which keeps more texture, may have an error larger by this much (in
// units of dequantised coefficients). With fine steps that rounds ties up.
constexpr double kTextureBonus = 0.2;

// The rounding threshold is raised by this part of the new step, since lower levels take fewer
// bits. On photographs of quality 60 to 95 files get 0.5 % smaller at equal PSNR, and SSIM stays
// above that of decoding and encoding; with twice the value it would not.
constexpr double kRateBias = 0.005;

// Where the new step is between 7/4 of the old one and twice it, as from quality 72 to 50, the old
// level 1 is nearer to the new one than to zero, but only just, and the new one overshoots it.
// Photographs of quality 72 and 73 get 13 to 17 % smaller, at equal PSNR, SSIM and butteraugli.
// With 0.1 they lose SSIMULACRA2, and fine texture in places; so do those of quality 70 with 0.05.
constexpr double kRateBiasNearTwo = 0.05;

// With more than this, levels would vanish altogether where the new step is close to the old one.
constexpr double kMaxBias = 0.4;

int divide_up(int a, int b) {
  return (a + b - 1) / b;
}

// As narrow as the coefficients, so that as many of both fit into a SIMD register.
using NarrowCounters = std::array<std::int16_t, kBlockSize>;

IMGPRESS_INLINE void count_magnitude(const Block& block, int magnitude, NarrowCounters& counters) {
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const int hit = (block.at[i] == magnitude) | (block.at[i] == -magnitude);
    counters[i] = static_cast<std::int16_t>(counters[i] + hit);
  }
}

// The new DC levels of blocks that are pure white or black, which must stay so: a white background
// that turns grey is seen at once.
struct Extremes {
  float dc_step;
  std::int16_t white_level;
  std::int16_t black_level;
};

IMGPRESS_INLINE std::int16_t requantised(int value, float scale, float offset) {
  const float exact = static_cast<float>(std::abs(value)) * scale + offset;
  const int level = std::min(static_cast<int>(exact), kMaxLevel);
  return static_cast<std::int16_t>(value < 0 ? -level : level);
}

IMGPRESS_INLINE void keep_extremes(int from, const Extremes& extremes, std::int16_t& level) {
  const float dc = static_cast<float>(from) * extremes.dc_step;
  if (dc >= kWhiteDc) level = std::max(level, extremes.white_level);
  if (dc <= kBlackDc) level = std::min(level, extremes.black_level);
}

IMGPRESS_CPU_TARGETS
void requantise(Block* blocks, std::size_t count, const float* scale, const float* offset,
                const Extremes& extremes) {
  for (Block* block = blocks; block < blocks + count; ++block) {
    std::int16_t* const levels = block->at;
    const int dc = levels[0];
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      levels[i] = requantised(levels[i], scale[i], offset[i]);
    }
    keep_extremes(dc, extremes, levels[0]);
  }
}

// The same in integers of 16 bits; see BlockRequantiser::Narrow.
IMGPRESS_INLINE std::int16_t requantised(std::int16_t value, std::uint16_t factor,
                                         std::uint16_t offset, std::uint16_t multiplier) {
  const auto magnitude = static_cast<std::uint16_t>(value < 0 ? -value : value);
  const auto sum = static_cast<std::uint16_t>(magnitude * factor + offset);
  const auto product = static_cast<std::uint16_t>((std::uint32_t{sum} * multiplier) >> 16);
  const auto level = static_cast<std::int16_t>(product >> 8);
  return static_cast<std::int16_t>(value < 0 ? -level : level);
}

IMGPRESS_INLINE void requantise_bytes(const std::int8_t* __restrict from,
                                      const std::uint16_t* __restrict factor,
                                      const std::uint16_t* __restrict offset,
                                      const std::uint16_t* __restrict multiplier,
                                      std::int16_t* __restrict to) {
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    to[i] = requantised(from[i], factor[i], offset[i], multiplier[i]);
  }
}

}  // namespace

IMGPRESS_CPU_TARGETS
void CoefficientSample::add(const Block* blocks, std::size_t count) {
  NarrowCounters ones{};
  NarrowCounters twos{};
  const std::size_t counted = std::min<std::size_t>(count, INT16_MAX);
  for (const Block* block = blocks; block < blocks + counted; ++block) {
    count_magnitude(*block, 1, ones);
    count_magnitude(*block, 2, twos);
  }
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    ones_[i] += static_cast<std::uint32_t>(ones[i]);
    twos_[i] += static_cast<std::uint32_t>(twos[i]);
  }
}

double CoefficientSample::bias(std::size_t i) const {
  if (i == 0) return 0;
  // In a Laplacian distribution each level is rarer than the one before by a constant quotient.
  // Real images have heavier tails, so the quotient is taken where most coefficients are: between
  // levels 1 and 2. The added counts pull it towards 1/2 where the sample is small.
  const double ones = ones_[i] + 16.0;
  const double twos = twos_[i] + 8.0;
  const double quotient = twos / ones;
  if (quotient > 0.99) return 0;
  return 0.5 + 1 / std::log(quotient) + quotient / (1 - quotient);
}

// Adding 0.5 to the integer addend keeps the quotient at least 0.5/t away from any integer, so that
// truncating the float is exact for |k| * s below 2^20.
BlockRequantiser::BlockRequantiser(const QuantTable& from, const QuantTable& to,
                                   const CoefficientSample& sample, int fineness) {
  dc_step_ = static_cast<float>(from[0]) / static_cast<float>(fineness);
  const int dc_target = std::max<int>(to[0], 1);
  white_level_ = static_cast<std::int16_t>(divide_up(kWhiteDc * fineness, dc_target));
  black_level_ = static_cast<std::int16_t>(-divide_up(-kBlackDc * fineness, dc_target));
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const double step = from[i];
    const double target = std::max<int>(to[i], 1);
    const bool near_two = target > 1.75 * step && target < 2 * step;
    const double rate_bias = i == 0 ? 0 : near_two ? kRateBiasNearTwo : kRateBias;  // DC: no bias
    const double bias = std::min(kMaxBias, sample.bias(i));
    const double addend = std::floor(target * (0.5 - rate_bias) - bias * step + kTextureBonus);
    addend_[i] = static_cast<int>(std::max(0.0, addend));
    scale_[i] = static_cast<float>(step / target);
    offset_[i] = static_cast<float>((addend_[i] + 0.5) / target);
    has_narrow_ = has_narrow_ && make_narrow(i, step, target);
  }
}

bool BlockRequantiser::make_narrow(std::size_t i, double step, double target) {
  if (i == 0) return true;  // DC is none of these
  const double offset = (addend_[i] + 0.5) / step;
  double factor = 1;
  double multiplier = step / target * (1 << 24);
  for (; std::round(multiplier) > UINT16_MAX; factor *= 2) multiplier /= 2;
  const double largest_sum = (-INT8_MIN + offset) * factor + 1;
  if (largest_sum > UINT16_MAX) return false;
  narrow_.factor[i] = static_cast<std::uint16_t>(factor);
  narrow_.offset[i] = static_cast<std::uint16_t>(std::lround(offset * factor));
  narrow_.multiplier[i] = static_cast<std::uint16_t>(std::lround(multiplier));
  const double error = std::abs(narrow_.offset[i] - offset * factor) * multiplier +
                       std::abs(narrow_.multiplier[i] - multiplier) * largest_sum;
  return error / (1 << 24) < 0.49 / target;
}

void BlockRequantiser::apply(Block* blocks, std::size_t count) const {
  requantise(blocks, count, scale_.data(), offset_.data(), {dc_step_, white_level_, black_level_});
}

IMGPRESS_CPU_TARGETS
void BlockRequantiser::apply(const NarrowBlock* blocks, const std::int16_t* dc, std::size_t count,
                             Block* to) const {
  const Extremes extremes = {dc_step_, white_level_, black_level_};
  for (std::size_t b = 0; b < count; ++b) {
    std::int16_t* const levels = to[b].at;
    if (has_narrow_) {
      requantise_bytes(blocks[b].at, narrow_.factor.data(), narrow_.offset.data(),
                       narrow_.multiplier.data(), levels);
    } else {
      for (std::size_t i = 0; i < kBlockSize; ++i) {
        levels[i] = requantised(blocks[b].at[i], scale_[i], offset_[i]);
      }
    }
    levels[0] = requantised(dc[b], scale_[0], offset_[0]);
    keep_extremes(dc[b], extremes, levels[0]);
  }
}

}  // namespace imgpress::press
