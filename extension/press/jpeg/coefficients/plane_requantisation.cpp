#include "press/jpeg/coefficients/plane_requantisation.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "press/jpeg/coefficients/trellis_quantiser.hpp"
#include "press/jpeg/coefficients/block_requantiser.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

// So many blocks are sampled to learn how the coefficients of a plane are distributed.
constexpr std::uint64_t kSampledBlocks = 1024;
constexpr std::uint64_t kSampledBlocksFast = 512;

// The Lagrange multiplier in a typical block: what a bit is worth, in squared steps. Chosen with
// the steps (quant_table.cpp) for the fewest bytes at equal SSIMULACRA2 and butteraugli.
constexpr double kLambdaLuma = 0.08;
constexpr double kLambdaChroma = 0.13;

SymbolCounts count_symbols(const Plane& plane, std::uint32_t every,
                           const BlockRequantiser& requantiser) {
  SymbolCounts counts{};
  SymbolCounter counter{counts};
  std::vector<Block> row(plane.width);
  for (std::uint32_t y = 0; y < plane.height; y += every) {
    std::copy_n(plane.row(y), plane.width, row.begin());
    requantiser.apply(row.data(), row.size());
    for (const Block& block : row) put_block(block, counter);
  }
  return counts;
}

void requantise_with_trellis(Plane& plane, const BlockRequantiser& requantiser,
                             const TrellisQuantiser& trellis) {
  std::vector<Block> before(plane.width);
  for (std::uint32_t y = 0; y < plane.height; ++y) {
    Block* const row = plane.row(y);
    std::copy_n(row, plane.width, before.begin());
    requantiser.apply(row, plane.width);
    trellis.apply(before.data(), row, plane.width);
  }
}

double lambda_for(const Plane& plane) {
  return plane.channel == Channel::kLuma ? kLambdaLuma : kLambdaChroma;
}

}  // namespace

std::uint32_t sampling_stride(const Plane& plane, Effort effort) {
  const std::uint64_t blocks = effort == Effort::kFast ? kSampledBlocksFast : kSampledBlocks;
  return static_cast<std::uint32_t>(1 + plane.count() / blocks);
}

void requantise_plane(Plane& plane, const QuantTable& to, const QuantTable& standard) {
  const QuantTable from = plane.steps;
  plane.steps = steps_between(from, to, standard);
  if (plane.steps == from) return;
  const std::uint32_t every = sampling_stride(plane, Effort::kSmall);
  CoefficientSample sample;
  for (std::uint32_t y = 0; y < plane.height; y += every) sample.add(plane.row(y), plane.width);
  const BlockRequantiser requantiser(from, plane.steps, sample);
  const SymbolCounts counts = count_symbols(plane, every, requantiser);
  requantise_with_trellis(plane, requantiser,
                          {from, plane.steps, to, sample, counts, lambda_for(plane)});
}

void quantise_plane(Plane& plane) {
  QuantTable from;
  from.fill(1);
  QuantTable fine_to = plane.steps;
  // Steps that do not fit are so coarse that all AC levels are zero either way.
  for (std::uint16_t& step : fine_to) {
    step = static_cast<std::uint16_t>(std::min<int>(step * kFineness, UINT16_MAX));
  }
  const CoefficientSample no_bias;  // but for a fraction of the fine units
  const BlockRequantiser quantiser(from, fine_to, no_bias, kFineness);
  const SymbolCounts counts =
      count_symbols(plane, sampling_stride(plane, Effort::kSmall), quantiser);
  requantise_with_trellis(plane, quantiser,
                          {from, fine_to, fine_to, no_bias, counts, lambda_for(plane), kFineness});
}

}  // namespace imgpress::press
