// Requantises a plane of an image.
#pragma once

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// In place. Only the steps of `to` that are coarser than the plane's replace them. Effort "small"
// also runs trellis quantisation.
void requantise_plane(Plane& plane, const QuantTable& to, Effort effort);

}  // namespace imgpress::press
