#include "press/jpeg/coefficients/trellis_quantiser.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "press/jpeg/huffman_code.hpp"

namespace imgpress::press {
namespace {

float squared(float value) {
  return value * value;
}

// The mean step of the frequencies where most levels are.
float typical_step(const QuantTable& steps) {
  constexpr int kCommon = 20;
  float sum = 0;
  for (std::size_t order = 1; order < kCommon; ++order) sum += steps[order];
  return std::max(1.0F, sum / (kCommon - 1));
}

}  // namespace

// The non-zero levels of a block in coding order. The first place is the block's start: coded,
// free.
struct Economiser::Places {
  Places() {  // the rest is written before it is read
    order[0] = 0;
    error_after[0] = 0;
    cost[0] = 0;
  }

  float price;  // of a bit
  int count = 1;
  int order[kBlockSize];           // 1 to 63
  int level[kBlockSize];           // magnitude: as it is, then as chosen
  float value[kBlockSize];         // the exact magnitude, in steps
  float weight[kBlockSize];        // of its error
  float error_before[kBlockSize];  // if all places before this one became zero
  float error_after[kBlockSize];   // and this one as well
  float cost[kBlockSize];          // the least up to here, this one being coded
  int previous[kBlockSize];        // the place that is coded before this one
};

Economiser::Economiser(const QuantTable& from, const QuantTable& to,
                       const CoefficientSample& sample, const SymbolCounts& counts, Measure measure,
                       double price)
    : price_(static_cast<float>(price)) {
  const float typical = typical_step(to);
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const auto after = static_cast<float>(std::max<int>(to[i], 1));
    weight_[i] = measure == Measure::kSamples ? squared(after / typical) : 1;
    step_[i] = static_cast<float>(from[i]);
    bias_[i] = static_cast<float>(sample.bias(i));
    scale_[i] = step_[i] / after;
  }
  SymbolCounts smoothed = counts;
  admit_all_other_symbols(smoothed);
  const HuffmanCode code = best_huffman_code(smoothed);
  bits_.fill(0);
  visit_codes(code, [this](unsigned symbol, unsigned length) {
    bits_[symbol] = static_cast<float>(length + number_bits(symbol));
  });
}

// After structural similarity, which divides errors by the variance of what they are added to.
float Economiser::price_in(const Block& before) const {
  constexpr float kTypicalVariance = 300;  // of a block's samples
  constexpr float kNoise = 58.5F;          // SSIM's C2 = (0.03 * 255)^2: what hides errors anywhere
  float energy = 0;
  for (std::size_t i = 1; i < kBlockSize; ++i) {
    energy += squared(static_cast<float>(before.at[i]) * step_[i]);
  }
  const float activity = std::sqrt((energy / kBlockSize + kNoise) / kTypicalVariance);
  return price_ * std::min(std::max(activity, 0.6F), 4.0F);
}

float Economiser::rate(int zeros, int level) const {
  const auto symbol = static_cast<std::size_t>(zeros) % 16 * 16 + magnitude_bits(level);
  return bits_[symbol] + static_cast<float>(zeros / 16) * bits_[kSixteenZeros];
}

// Chooses the level of place `at`, and the place to be coded before it.
void Economiser::choose(Places& places, int at) const {
  const int level = places.level[at];
  const float value = places.value[at];
  const float kept_error = places.weight[at] * squared(value - static_cast<float>(level));
  const float less_error = places.weight[at] * squared(value - static_cast<float>(level - 1));
  float least = std::numeric_limits<float>::max();
  for (int i = at - 1; i >= 0; --i) {
    const float error = places.error_before[at] - places.error_after[i];
    if (error >= least) break;  // and so would be all further ones
    const int zeros = places.order[at] - places.order[i] - 1;
    const float base = places.cost[i] + error;
    const float kept = base + kept_error + places.price * rate(zeros, level);
    const float less = level > 1 ? base + less_error + places.price * rate(zeros, level - 1) : kept;
    if (std::min(kept, less) >= least) continue;
    least = std::min(kept, less);
    places.previous[at] = i;
    places.level[at] = less < kept ? level - 1 : level;
  }
  places.cost[at] = least;
}

// The place to be coded last: 0 when none is worth it.
int Economiser::choose_last(const Places& places) const {
  const float error_of_all = places.error_after[places.count - 1];
  int last = 0;
  float least = std::numeric_limits<float>::max();
  for (int i = places.count - 1; i >= 0; --i) {
    const float end = places.order[i] == kBlockSize - 1 ? 0 : places.price * bits_[kEndOfBlock];
    const float cost = places.cost[i] + error_of_all - places.error_after[i] + end;
    if (cost >= least) continue;
    least = cost;
    last = i;
  }
  return last;
}

void Economiser::economise(const Block& before, Block& block) const {
  Places places;
  places.price = price_in(before);
  for (std::uint64_t rest = nonzero_in(block) & bits_between(1, kBlockSize - 1); rest != 0;
       rest &= rest - 1) {
    const int at = places.count++;
    places.order[at] = __builtin_ctzll(rest);
    const auto i = static_cast<std::size_t>(places.order[at]);
    places.level[at] = std::abs(block.at[i]);
    places.value[at] = (static_cast<float>(std::abs(before.at[i])) - bias_[i]) * scale_[i];
    places.weight[at] = weight_[i];
    places.error_before[at] = places.error_after[at - 1];
    places.error_after[at] = places.error_before[at] + weight_[i] * squared(places.value[at]);
    choose(places, at);
  }
  int coded = choose_last(places);
  for (int at = places.count - 1; at > 0; --at) {
    std::int16_t& level = block.at[places.order[at]];
    const int magnitude = at == coded ? places.level[at] : 0;
    if (at == coded) coded = places.previous[at];
    level = static_cast<std::int16_t>(level < 0 ? -magnitude : magnitude);
  }
}

void Economiser::apply(const Block* before, Block* blocks, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) economise(before[i], blocks[i]);
}

}  // namespace imgpress::press
