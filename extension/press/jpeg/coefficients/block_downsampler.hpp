// Halves the resolution of blocks in the DCT domain, without decoding them to samples.
//
// The lower half of a block's frequencies is the DCT of the block at half its resolution. Two
// halves side by side make one new block: a 4-point inverse DCT of each gives its 8 samples, and an
// 8-point DCT of those its coefficients. Both transforms together are one constant matrix.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// The directions in which the resolution is halved.
struct HalvedAxes {
  bool across = false;
  bool down = false;
  bool any() const { return across || down; }
};

class BlockDownsampler {
 public:
  // `steps`: quantisation of the source blocks. The new coefficients are not quantised (step 1).
  BlockDownsampler(const QuantTable& steps, HalvedAxes axes);

  // The blocks that are merged into one: two across where `across` is halved, two down where `down`
  // is. At an edge of the plane a block may be missing (nullptr); its neighbour is mirrored
  // instead. upper[0] must be there.
  struct Neighbours {
    const Block* upper[2];
    const Block* lower[2];
  };
  void downsample(const Neighbours& blocks, Block& halved) const;

 private:
  std::array<float, kBlockSize> steps_;  // row by row
  HalvedAxes axes_;
};

}  // namespace imgpress::press
