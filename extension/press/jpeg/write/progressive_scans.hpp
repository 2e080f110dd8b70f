// Writes the scans of a progressive file from coefficients. Each scan holds a band of frequencies
// in full precision: with steps as coarse as ours that makes smaller files than successive
// approximation.
#pragma once

#include <cstddef>

#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// False once the file has `size_limit` bytes or more.
bool put_progressive_scans(const CoefficientImage& image, std::size_t size_limit,
                           SegmentWriter& file);

}  // namespace imgpress::press
