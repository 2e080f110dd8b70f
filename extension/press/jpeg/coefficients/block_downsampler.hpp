// Half the resolution of chroma, from coefficients to coefficients.
//
// The low half of a block's frequencies, taken alone, is the picture at half the resolution. Two
// such halves side by side are the samples of one new block, whose coefficients follow from theirs
// by one matrix: the short inverse transform of each and the full transform of both, in one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// In which directions the chroma has luma's resolution.
struct HalvedAxes {
  bool across = false;
  bool down = false;
  bool any() const { return across || down; }
};

class BlockDownsampler {
 public:
  // `steps` of the source's chroma; the new coefficients have steps of 1.
  BlockDownsampler(const QuantTable& steps, HalvedAxes axes);

  // Up to four blocks, beside and below each other as far as the chroma is halved there. Of those,
  // but for the first, any may be missing (nullptr): what is there is mirrored.
  struct Neighbours {
    const Block* upper[2];
    const Block* lower[2];
  };
  // Makes one block of them.
  void downsample(const Neighbours& blocks, Block& halved) const;

 private:
  void lay(const Block& block, float* part) const;
  void mirror(bool rows, bool columns, float* part) const;

  std::array<float, kBlockSize> steps_;         // row by row
  std::array<std::uint8_t, kBlockSize> order_;  // place in coding order, row by row
  std::array<std::uint8_t, kBlockSize> places_;
  HalvedAxes axes_;
};

}  // namespace imgpress::press
