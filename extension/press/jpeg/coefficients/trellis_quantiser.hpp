// Levels that are not worth their bits.
//
// After requantisation a block's levels are the nearest to the source. Some of them cost far more
// bits than they are worth: a lone 1 behind a long run of zeros above all. The trellis chooses
// for each block, among its levels, one less, and none at all, the combination with the least
//     squared error + price * bits
// where errors are against what the source's levels most likely stood for, and bits those of a
// Huffman code fit for the picture. The best one is found by dynamic
// programming over the places of non-zero levels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/block_requantiser.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

class TrellisQuantiser {
 public:
  // What errors of different frequencies are compared by.
  enum class Measure {
    kSteps,    // each in its own steps
    kSamples,  // all alike, as they show in the samples; in typical steps
  };

  // `sample`: of the blocks before. `counts`: how often each symbol occurs in (a sample of) the
  // requantised blocks. `price`: of a bit in a typical block, in squared (typical) steps.
  TrellisQuantiser(const QuantTable& from, const QuantTable& to, const CoefficientSample& sample,
                   const SymbolCounts& counts, Measure measure, double lambda);

  // `blocks`: the requantised ones, in place; `before`: what they were. First coefficients stay.
  void apply(const Block* before, Block* blocks, std::size_t count) const;

  // The price of a bit in a block: the more there is to see, the less an error shows.
  float lambda_for(const Block& before) const;

 private:
  struct Trellis;
  void choose_level(Trellis& trellis, int at) const;
  int choose_last_level(const Trellis& trellis) const;
  void quantise_block(const Block& before, Block& block) const;
  float rate(int zeros, int level) const;

  float lambda_;
  std::array<float, kBlockSize> step_;    // before
  std::array<float, kBlockSize> bias_;    // of what levels before stand for, towards zero
  std::array<float, kBlockSize> scale_;   // from levels before to steps
  std::array<float, kBlockSize> weight_;  // from squared steps to errors
  std::array<float, 256> bits_;           // of each symbol, with those of the level behind it
};

}  // namespace imgpress::press
