// Requantising a plane of a picture.
#pragma once

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// In place, from the plane's steps to those of `to` that are coarser. Small effort also gives up
// levels that are not worth their bits.
void requantise_plane(Plane& plane, const QuantTable& to, Effort effort);

}  // namespace imgpress::press
