// The best Huffman codes for a picture's coefficients.
#pragma once

#include <vector>

#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_guard.hpp"
#include "press/jpeg_output.hpp"

namespace imgpress::press {

// Stores them in `output`, for a single baseline scan of the given components.
void use_best_codes(JpegGuard& guard, JpegOutput& output,
                    const std::vector<JpegBlockRows>& components);

}  // namespace imgpress::press
