// Requantising all blocks of a colour component.
#pragma once

#include "core/effort.hpp"
#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_guard.hpp"
#include "press/requantiser.hpp"

namespace imgpress::press {

enum class Channel { kLight, kColour };

// In place, from the steps of one table to the coarser ones of another. Small effort also gives up
// levels that are not worth their bits.
void requantise_component(JpegGuard& guard, const JpegBlockRows& rows, const QuantTable& from,
                          const QuantTable& to, Channel channel, Effort effort);

}  // namespace imgpress::press
