// Reads the coefficients of a JPEG file.
#pragma once

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

// The planes that a file's header describes, without blocks and quantisation steps.
CoefficientImage describe_image(const jpeg_decompress_struct& header);

// Sets the steps of `image`, which describe_image() has made, and returns the rows of its planes.
// They are valid as long as the guard and the decoder, which must have read the header. Throws
// FaultError when the image is damaged, or truncated beyond what the guard accepts; std::bad_alloc
// when memory runs out.
ImageRows read_coefficients(LibjpegGuard& guard, LibjpegDecoder& decoder, CoefficientImage& image);

}  // namespace imgpress::press
