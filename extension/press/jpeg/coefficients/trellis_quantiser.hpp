// Trellis quantisation: gives up levels that are not worth their bits (rate-distortion
// optimisation).
//
// After requantisation each level is the nearest to the source, but some cost far more bits than
// they are worth, above all a lone 1 behind a long run of zeros. For each non-zero level the
// quantiser chooses between the level, the level less one and zero, so that the block has the least
//     squared error + lambda * bits
// Errors are measured against the likeliest values of the source, bits with a Huffman code that
// fits the image. The optimum is found by dynamic programming over the non-zero levels of the
// block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/block_requantiser.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

class TrellisQuantiser {
 public:
  // `wanted`: the steps whose errors are to be seen equally little; those of `to` may differ, as
  // they suit the source. `sample`: statistics of the source blocks. `counts`: how often each
  // symbol occurs in (a sample of) the requantised blocks. `lambda`: what a bit is worth in a
  // typical block, in squared steps of `wanted`. `fineness`: the tables are in units of 1 /
  // `fineness`.
  TrellisQuantiser(const QuantTable& from, const QuantTable& to, const QuantTable& wanted,
                   const CoefficientSample& sample, const SymbolCounts& counts, double lambda,
                   int fineness = 1);

  // Changes the requantised `blocks` in place; `before` are the source blocks. DC stays, and so
  // does a block that is no more than a gradient.
  void apply(const Block* before, Block* blocks, std::size_t count) const;

  // Lambda for a block: the more texture a block has, the less an error is seen.
  float lambda_for(const Block& before) const;

 private:
  struct Trellis;
  void choose_level(Trellis& trellis, int at) const;
  int choose_last_level(const Trellis& trellis) const;
  void quantise_block(const Block& before, Block& block) const;
  float rate(int zeros, int level) const;

  float lambda_;
  std::array<float, kBlockSize> step_;    // of the source; 0 for DC
  std::array<float, kBlockSize> bias_;    // CoefficientSample::bias
  std::array<float, kBlockSize> scale_;   // old step / new step
  std::array<float, kBlockSize> weight_;  // of a squared error in new steps
  std::array<float, 256> bits_;           // of each symbol, with its extra bits
};

}  // namespace imgpress::press
