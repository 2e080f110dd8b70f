// Requantises DCT coefficients to coarser steps, without decoding them to samples.
//
// A coefficient with level k and step s becomes level n with step t. The best n is the one whose
// n*t is nearest to the value before the first quantisation. That value was not k*s: coefficients
// follow a Laplacian distribution, so within the interval that was rounded to k smaller values are
// likelier, and the interval's mean lies nearer to zero by bias * s. Hence the rule
//     n = floor((|k| * s + t/2 - bias * s) / t)
// with the bias of each frequency estimated from the image's own coefficients. Where t is 2*s, as
// from quality 75 to 50, every odd k is halfway between two levels, and the bias decides for the
// smaller, likelier one. Where t is much larger than s the rule is plain rounding, ties up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/quant_table.hpp"

namespace imgpress::press {

// Statistics of the coefficients of a plane, from a sample of its blocks.
class CoefficientSample {
 public:
  // Counts at most 32,767 blocks a call; the others are ignored.
  void add(const Block* blocks, std::size_t count);

  // How much nearer to zero than its level the mean of a quantisation interval lies, in steps: 0 to
  // 0.5. Always 0 for DC, which is not distributed around zero. `i`: index in zigzag order.
  double bias(std::size_t i) const;

 private:
  std::array<std::uint32_t, kBlockSize> ones_{};
  std::array<std::uint32_t, kBlockSize> twos_{};
};

class BlockRequantiser {
 public:
  // No step of `to` may be smaller than that of `from`. Both are in units of 1 / `fineness`.
  BlockRequantiser(const QuantTable& from, const QuantTable& to, const CoefficientSample& sample,
                   int fineness = 1);

  // In place. Levels are clamped to what a baseline JPEG can hold.
  void apply(Block* blocks, std::size_t count) const;

  // The same, from blocks that are narrow. `dc`: their DC levels.
  void apply(const NarrowBlock* blocks, const std::int16_t* dc, std::size_t count, Block* to) const;

  // What is added to |k| * s before it is divided by t and rounded down.
  int addend(std::size_t i) const { return addend_[i]; }

 private:
  // The rule in integers of 16 bits, for levels that fit into a byte: a level n is
  //     ((|k| * factor + offset) * multiplier) >> 24.
  struct Narrow {
    using Numbers = std::array<std::uint16_t, kBlockSize>;

    alignas(32) Numbers factor;
    alignas(32) Numbers offset;
    alignas(32) Numbers multiplier;
  };

  // False if that would not be exact for any byte.
  bool make_narrow(std::size_t i, double step, double target);

  alignas(32) std::array<float, kBlockSize> scale_;
  alignas(32) std::array<float, kBlockSize> offset_;
  Narrow narrow_{};
  std::array<int, kBlockSize> addend_;
  float dc_step_ = 0;
  std::int16_t white_level_ = 0;
  std::int16_t black_level_ = 0;
  bool has_narrow_ = true;
};

}  // namespace imgpress::press
