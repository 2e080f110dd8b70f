// From one quantisation to a coarser one, straight on the DCT coefficients.
//
// A coefficient k of step s stands for the value k*s and becomes the level n of step t, ideally the
// one whose n*t is nearest to what the picture had before it was quantised the first time. That was
// not k*s: coefficients follow a Laplacian distribution, so within the interval that was rounded to
// k small values are likelier, and the mean lies a little (bias * s) nearer to zero. The rule here
// is therefore
//     n = floor((|k| * s + t/2 - bias * s) / t)
// with the bias of each of the 64 frequencies estimated from the picture's own coefficients. Where
// t is exactly 2*s, as from quality 75 to 50, every odd k lies on the border between two levels,
// and this decides all of them for the smaller and likelier one; where t is much larger than s the
// rule is plain rounding, ties up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// How the coefficients of a plane are distributed, from a sample of its blocks.
class CoefficientSample {
 public:
  // At most 32,767 blocks at once; more are left out.
  void add(const Block* blocks, std::size_t count);

  // How far the mean of a non-zero coefficient's interval lies from its middle, towards zero, in
  // steps: 0 to 0.5. The first coefficient is a block's mean, which prefers no side: 0.
  double bias(std::size_t place) const;

 private:
  std::array<std::uint32_t, kBlockSize> ones_{};
  std::array<std::uint32_t, kBlockSize> twos_{};
};

class BlockRequantiser {
 public:
  // Every step of `to` must be at least that of `from`.
  BlockRequantiser(const QuantTable& from, const QuantTable& to, const CoefficientSample& sample);

  // In place. Levels are bounded to what a baseline JPEG can code.
  void apply(Block* blocks, std::size_t count) const;

  // What is added to |k| * s before it is divided by t and rounded down.
  int addend(std::size_t place) const { return addend_[place]; }

 private:
  int dc_step_ = 0;
  std::int16_t white_level_ = 0;
  std::int16_t black_level_ = 0;
  std::array<int, kBlockSize> addend_;
  alignas(32) std::array<float, kBlockSize> scale_;
  alignas(32) std::array<float, kBlockSize> offset_;
};

}  // namespace imgpress::press
