// Reads the coefficients of progressive JPEG files faster than libjpeg: files with 8 bits and
// Huffman codes that hold the whole picture, and without any fault. All other files are left to
// libjpeg, which also reports what is wrong with them.
#pragma once

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

// As read_baseline().
ImageRows read_progressive(const LibjpegDecoder& decoder, const CoefficientImage& image);

}  // namespace imgpress::press
