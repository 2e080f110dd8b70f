// Quantises or requantises a plane of an image.
#pragma once

#include <cstdint>

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// For effort "small", in place: steps_between() the plane's and `to` come into their place, and
// levels that are not worth their bits are given up. `standard`: libjpeg's steps for the same
// quality.
void requantise_plane(Plane& plane, const QuantTable& to, const QuantTable& standard);

// Coefficients that are still to be quantised are in units of 1 / kFineness, so that nothing is
// lost by rounding them to integers.
constexpr int kFineness = 16;

// In place. Quantises such coefficients to the plane's steps, with trellis quantisation.
void quantise_plane(Plane& plane);

// Every nth row of blocks is sampled to learn how the coefficients of a plane are distributed.
std::uint32_t sampling_stride(const Plane& plane, Effort effort);

}  // namespace imgpress::press
