// Reads the coefficients of a JPEG file.
#pragma once

#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// The planes that a file's header describes, with uninitialised blocks and without quantisation
// steps.
CoefficientImage describe_image(const jpeg_decompress_struct& header);

// The header of `decoder` must have been read. Throws FaultError when the image is damaged, or
// truncated beyond what the guard accepts; std::bad_alloc when memory runs out.
CoefficientImage read_coefficients(LibjpegGuard& guard, LibjpegDecoder& decoder);

}  // namespace imgpress::press
