// Reads the coefficients of baseline JPEG files faster than libjpeg: files with one scan, 8 bits
// and Huffman codes, and without any fault. All other files are left to libjpeg, which also reports
// what is wrong with them.
#pragma once

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

// The rows of `image`, which describe_image() has made; none for files that are left to libjpeg.
// `decoder` must have read the header and nothing more, and is unchanged. Safe on any bytes.
ImageRows read_baseline(const LibjpegDecoder& decoder, const CoefficientImage& image);

}  // namespace imgpress::press
