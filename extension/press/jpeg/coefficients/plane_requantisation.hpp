// Quantises or requantises a plane of an image.
#pragma once

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// In place. Only the steps of `to` that are coarser than the plane's replace them; with effort
// "small" whole_multiples() of the plane's do, and levels that are not worth their bits are given
// up. `gently`: for sources that are nearly as coarse as the result, with the standard tables;
// fewer levels go, and steps are as asked for.
void requantise_plane(Plane& plane, const QuantTable& to, Effort effort, bool gently);

// Coefficients that are still to be quantised are in units of 1 / kFineness, so that nothing is
// lost by rounding them to integers.
constexpr int kFineness = 16;

// In place. Quantises such coefficients to the plane's steps, with trellis quantisation.
void quantise_plane(Plane& plane);

}  // namespace imgpress::press
