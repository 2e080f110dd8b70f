// Reads the coefficients of ordinary JPEG files, faster than libjpeg: those of a single scan, 8
// bits and Huffman codes, without the least fault. All others are libjpeg's, which also says what
// is wrong with them.
#pragma once

#include "press/jpeg/read/libjpeg_decoder.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// Fills in the blocks of `image`, whose planes have been described. The header of `decoder` must
// have been read, its data not yet. False where the file is no ordinary one: then the blocks mean
// nothing, and `decoder` is as it was. Safe on any bytes.
bool read_baseline(const LibjpegDecoder& decoder, CoefficientImage& image);

}  // namespace imgpress::press
