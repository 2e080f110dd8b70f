// Quantises or requantises a plane row by row, as it is written: what was read from memory once is
// in the processor's cache, and no plane is kept twice.
#pragma once

#include <cstdint>
#include <memory>

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

// The rows of a plane with other steps. Only those of `to` that are coarser than the plane's
// replace them; with effort "small" steps_between() the two do, and levels that are not worth their
// bits are given up. `standard`: libjpeg's steps for the same quality.
std::unique_ptr<BlockRows> requantised(Plane& plane, std::unique_ptr<BlockRows> rows,
                                       const QuantTable& to, const QuantTable& standard,
                                       Effort effort);

// Coefficients that are still to be quantised are in units of 1 / kFineness, so that nothing is
// lost by rounding them to integers.
constexpr int kFineness = 16;

// Such coefficients, quantised to the plane's steps, with trellis quantisation.
std::unique_ptr<BlockRows> quantised(const Plane& plane, std::unique_ptr<BlockRows> rows);

// Every nth row of blocks is sampled to learn how the coefficients of a plane are distributed.
std::uint32_t sampling_stride(const Plane& plane, Effort effort);

}  // namespace imgpress::press
