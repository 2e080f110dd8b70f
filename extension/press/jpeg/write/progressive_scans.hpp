// The scans of a progressive file, out of coefficients. Each holds a band of frequencies in full
// precision: for pictures as coarse as these that makes smaller files than refining them bit by
// bit.
#pragma once

#include <cstddef>

#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// False once the file has `size_limit` bytes or more.
bool put_progressive_scans(const CoefficientImage& image, std::size_t size_limit,
                           SegmentWriter& file);

}  // namespace imgpress::press
