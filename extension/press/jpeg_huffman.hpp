// Huffman codes that suit a picture's coefficients.
#pragma once

#include <vector>

#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_guard.hpp"
#include "press/jpeg_output.hpp"

namespace imgpress::press {

// Stores them in `output`, for a single baseline scan of the given components. They are chosen
// after every `every`th row of units: 1 gives the smallest file; more saves counting, and as every
// symbol must have a code then, costs about 1 % of the size. Small pictures are counted whole.
void use_codes(JpegGuard& guard, JpegOutput& output, const std::vector<JpegBlockRows>& components,
               JDIMENSION every);

}  // namespace imgpress::press
