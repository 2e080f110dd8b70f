// Reads the coefficients of baseline JPEG files faster than libjpeg: files with one scan, 8 bits
// and Huffman codes, and without any fault. All other files are left to libjpeg, which also reports
// what is wrong with them.
#pragma once

#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// Fills in the blocks of `image`, which describe_image() has prepared. `decoder` must have read the
// header and nothing more. Returns false for files that it leaves to libjpeg: the contents of the
// blocks are undefined then, and `decoder` is unchanged. Safe on any bytes.
bool read_baseline(const LibjpegDecoder& decoder, CoefficientImage& image);

}  // namespace imgpress::press
