#include "press/jpeg/coefficients/trellis_quantiser.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/huffman_code.hpp"

namespace imgpress::press {
namespace {

float squared(float value) {
  return value * value;
}

// The mean step of the low frequencies, where most non-zero levels are.
float typical_step(const QuantTable& steps) {
  constexpr int kCommon = 20;
  float sum = 0;
  for (std::size_t i = 1; i < kCommon; ++i) sum += steps[i];
  return std::max(1.0F, sum / (kCommon - 1));
}

// In eight sums, so that SIMD instructions can be used.
IMGPRESS_CPU_TARGETS
float energy_of(const Block& block, const float* steps) {
  constexpr std::size_t kSums = 8;
  float sums[kSums] = {};
  for (std::size_t i = 0; i < kBlockSize; i += kSums) {
    for (std::size_t k = 0; k < kSums; ++k) {
      sums[k] += squared(static_cast<float>(block.at[i + k]) * steps[i + k]);
    }
  }
  float energy = 0;
  for (const float sum : sums) energy += sum;
  return energy;
}

// From this typical step on, as at quality 18, a level is often all that is left of a block's
// texture, however busy it is. So bits are worth less the coarser the steps are. Without that one
// in 20 photographs looks worse at quality 10 than with libjpeg: leaves blur.
constexpr float kCoarseStep = 48;

// A block whose only levels are among these, the first ones in each direction, is a gradient.
constexpr unsigned kLastSlope = 2;

}  // namespace

// One node for each non-zero AC level of a block, in zigzag order. Node 0 is the start of the
// block, which costs nothing.
struct TrellisQuantiser::Trellis {
  // All other elements are written before they are read.
  explicit Trellis(float weight_of_bits) : lambda(weight_of_bits) {
    position[0] = 0;
    error_after[0] = 0;
    cost[0] = 0;
  }

  float lambda;
  int count = 1;
  int position[kBlockSize];        // in zigzag order, 1 to 63
  int level[kBlockSize];           // magnitude; replaced by the chosen one
  float value[kBlockSize];         // unrounded magnitude, in new steps
  float weight[kBlockSize];        // of its squared error
  float error_before[kBlockSize];  // if all nodes before this one became zero
  float error_after[kBlockSize];   // if this one became zero as well
  float cost[kBlockSize];          // least cost up to here if this node is not zero
  int previous[kBlockSize];        // the last node before it that is not zero
};

TrellisQuantiser::TrellisQuantiser(const QuantTable& from, const QuantTable& to,
                                   const QuantTable& wanted, const CoefficientSample& sample,
                                   const SymbolCounts& counts, double lambda, int fineness)
    : lambda_(static_cast<float>(lambda)) {
  const float typical = typical_step(wanted);
  lambda_ *= std::min(1.0F, kCoarseStep * static_cast<float>(fineness) / typical);
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const auto after = static_cast<float>(std::max<int>(to[i], 1));
    // Half way between errors in wanted steps, of which coarse ones hide too much, and errors as
    // they are in the samples, where the eye sees less of the coarsely quantised frequencies.
    weight_[i] = squared(after) / (static_cast<float>(std::max<int>(wanted[i], 1)) * typical);
    step_[i] = static_cast<float>(from[i]) / static_cast<float>(fineness);
    bias_[i] = static_cast<float>(sample.bias(i));
    scale_[i] = static_cast<float>(from[i]) / after;
  }
  step_[0] = 0;  // DC is no texture
  SymbolCounts smoothed = counts;
  smooth_ac_counts(smoothed);
  const HuffmanCode code = optimal_huffman_code(smoothed);
  bits_.fill(0);
  visit_codes(code, [this](unsigned symbol, unsigned length) {
    bits_[symbol] = static_cast<float>(length + extra_bits(symbol));
  });
}

// Follows SSIM, in which an error counts for less where the variance of the samples is large, but
// only with its root: with the variance itself butteraugli gets worse by 2 to 4 %.
float TrellisQuantiser::lambda_for(const Block& before) const {
  constexpr float kTypicalVariance = 400;  // of a block's samples
  constexpr float kNoise = 58.5F;          // SSIM's C2 = (0.03 * 255)^2
  const float energy = energy_of(before, step_.data());
  const float activity = std::sqrt((energy / kBlockSize + kNoise) / kTypicalVariance);
  return lambda_ * std::min(std::max(activity, 0.4F), 4.0F);
}

float TrellisQuantiser::rate(int zeros, int level) const {
  const auto symbol = static_cast<std::size_t>(zeros) % 16 * 16 + magnitude_bits(level);
  const int sixteens = zeros / 16;
  return bits_[symbol] + static_cast<float>(sixteens) * bits_[kSixteenZeros];
}

// Chooses the level of node `at` and the node before it, given that `at` is not zero.
void TrellisQuantiser::choose_level(Trellis& trellis, int at) const {
  const int level = trellis.level[at];
  const float value = trellis.value[at];
  const float kept_error = trellis.weight[at] * squared(value - static_cast<float>(level));
  const float less_error = trellis.weight[at] * squared(value - static_cast<float>(level - 1));
  float least = std::numeric_limits<float>::max();
  trellis.previous[at] = at - 1;
  for (int i = at - 1; i >= 0; --i) {
    const float error = trellis.error_before[at] - trellis.error_after[i];
    if (error >= least) break;  // it only grows from here on
    const int zeros = trellis.position[at] - trellis.position[i] - 1;
    const float base = trellis.cost[i] + error;
    const float kept = base + kept_error + trellis.lambda * rate(zeros, level);
    const float less =
        level > 1 ? base + less_error + trellis.lambda * rate(zeros, level - 1) : kept;
    if (std::min(kept, less) >= least) continue;
    least = std::min(kept, less);
    trellis.previous[at] = i;
    trellis.level[at] = less < kept ? level - 1 : level;
  }
  trellis.cost[at] = least;
}

// The last node that is not zero; 0 when no level is worth its bits.
int TrellisQuantiser::choose_last_level(const Trellis& trellis) const {
  const float error_of_all = trellis.error_after[trellis.count - 1];
  int last = 0;
  float least = std::numeric_limits<float>::max();
  for (int i = trellis.count - 1; i >= 0; --i) {
    const float end =
        trellis.position[i] == kBlockSize - 1 ? 0 : trellis.lambda * bits_[kEndOfBlock];
    const float cost = trellis.cost[i] + error_of_all - trellis.error_after[i] + end;
    if (cost >= least) continue;
    least = cost;
    last = i;
  }
  return last;
}

void TrellisQuantiser::quantise_block(const Block& before, Block& block) const {
  const std::uint64_t nonzero = nonzero_in(block) & bits_between(1, kBlockSize - 1);
  // Without its slope a smooth gradient would show its blocks.
  if ((nonzero & ~bits_between(1, kLastSlope)) == 0) return;
  Trellis trellis(lambda_for(before));
  for (std::uint64_t rest = nonzero; rest != 0; rest &= rest - 1) {
    const int at = trellis.count++;
    trellis.position[at] = __builtin_ctzll(rest);
    const auto i = static_cast<std::size_t>(trellis.position[at]);
    trellis.level[at] = std::abs(block.at[i]);
    trellis.value[at] = (static_cast<float>(std::abs(before.at[i])) - bias_[i]) * scale_[i];
    trellis.weight[at] = weight_[i];
    trellis.error_before[at] = trellis.error_after[at - 1];
    trellis.error_after[at] = trellis.error_before[at] + weight_[i] * squared(trellis.value[at]);
    choose_level(trellis, at);
  }
  int coded = choose_last_level(trellis);
  for (int at = trellis.count - 1; at > 0; --at) {
    std::int16_t& level = block.at[trellis.position[at]];
    const int magnitude = at == coded ? trellis.level[at] : 0;
    if (at == coded) coded = trellis.previous[at];
    level = static_cast<std::int16_t>(level < 0 ? -magnitude : magnitude);
  }
}

void TrellisQuantiser::apply(const Block* before, Block* blocks, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) quantise_block(before[i], blocks[i]);
}

}  // namespace imgpress::press
