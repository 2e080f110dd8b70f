// Turns images with chroma in full resolution (4:4:4, 4:2:2, 4:4:0) into 4:2:0.
#pragma once

#include "press/jpeg/coefficients/block_downsampler.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/libjpeg_guard.hpp"
#include "press/jpeg/rows/block_rows.hpp"

namespace imgpress::press {

// True for YCbCr whose chroma has the full or half resolution of luma in each direction.
bool has_full_or_half_chroma(const jpeg_decompress_struct& header);

// The directions in which chroma has luma's resolution. Needs full or half chroma, as above.
HalvedAxes full_resolution_axes(const CoefficientImage& image);

// Makes the image 4:2:0; `rows` are those of its planes. The new chroma, which is computed when it
// is read, is not quantised yet (step 1); luma stays as it is.
void subsample_chroma(CoefficientImage& image, ImageRows& rows);

}  // namespace imgpress::press
