// The coefficients of a JPEG file.
#pragma once

#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// The planes of a file whose header has been read, with memory for their blocks, without steps.
CoefficientImage describe_picture(const jpeg_decompress_struct& header);

// The header of `decoder` must have been read. Throws FaultError when the picture is damaged beyond
// what the guard tolerates, std::bad_alloc when memory runs out.
CoefficientImage read_coefficients(LibjpegGuard& guard, LibjpegDecoder& decoder);

}  // namespace imgpress::press
