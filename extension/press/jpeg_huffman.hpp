// Huffman codes that suit a picture's coefficients.
#pragma once

#include <vector>

#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_guard.hpp"
#include "press/jpeg_output.hpp"

namespace imgpress::press {

enum class CodeChoice {
  kBest,        // for exactly these coefficients: the smallest file
  kFromSample,  // for a part of them, with a code for every other symbol: 1 % larger
};

// Stores them in `output`, for a single baseline scan of the given components.
void use_codes(JpegGuard& guard, JpegOutput& output, const std::vector<JpegBlockRows>& components,
               CodeChoice choice);

}  // namespace imgpress::press
