// Half the resolution of chroma, from coefficients to coefficients.
//
// The low half of a block's frequencies, taken alone, is the picture at half the resolution. Two
// such halves side by side are the samples of one new block, whose coefficients follow from theirs
// by one matrix: the short inverse transform of each and the full transform of both, in one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/requantiser.hpp"

namespace imgpress::press {

class ChromaHalver {
 public:
  // `steps` of the source's chroma; the new coefficients have steps of 1.
  ChromaHalver(const QuantTable& steps, bool across, bool down);

  // One row of new blocks from one row of `width` blocks, or, when halving down, from two. The
  // lower one may be missing (nullptr), and so may the last block of an odd width: what is there is
  // mirrored. Writes half_of(width) blocks when halving across, `width` otherwise.
  void halve(const std::int16_t* upper, const std::int16_t* lower, std::size_t width,
             std::int16_t* halved) const;

  static std::size_t half_of(std::size_t blocks) { return (blocks + 1) / 2; }

 private:
  std::array<float, kBlockSize> steps_;
  bool across_;
  bool down_;
};

}  // namespace imgpress::press
