// The chroma of a picture at half its resolution.
#pragma once

#include "press/jpeg/coefficients/chroma_halver.hpp"
#include "press/jpeg/jpeg_guard.hpp"
#include "press/jpeg/coefficients/coded_picture.hpp"

namespace imgpress::press {

// True for colours stored as luma and chroma, the latter in full or half luma's resolution.
bool has_ordinary_chroma(const jpeg_decompress_struct& header);

// Of ordinary chroma.
ChromaFineness chroma_fineness(const CodedPicture& picture);

// Replaces the chroma by one of half the resolution, with steps of 1, so that the picture becomes
// 4:2:0. Luma keeps its coefficients.
void halve_chroma(CodedPicture& picture);

}  // namespace imgpress::press
