// The chroma of a picture at half its resolution.
#pragma once

#include "press/jpeg/coefficients/block_downsampler.hpp"
#include "press/jpeg/libjpeg_guard.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"

namespace imgpress::press {

// True for colours stored as luma and chroma, the latter in full or half luma's resolution.
bool has_full_or_half_chroma(const jpeg_decompress_struct& header);

// Of ordinary chroma.
HalvedAxes full_resolution_axes(const CoefficientImage& image);

// Replaces the chroma by one of half the resolution, with steps of 1, so that the picture becomes
// 4:2:0. Luma keeps its coefficients.
void subsample_chroma(CoefficientImage& image);

}  // namespace imgpress::press
