// The scans of a progressive file, out of coefficients. Each holds a band of frequencies in full
// precision: for pictures as coarse as these that makes smaller files than refining them bit by
// bit.
#pragma once

#include <cstddef>

#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// False once the file has `room` bytes or more.
bool put_progressive_scans(const CodedPicture& picture, std::size_t room, JpegSegments& file);

}  // namespace imgpress::press
