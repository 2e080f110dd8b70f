// The chroma of a JPEG file that has been read, at half its resolution.
#pragma once

#include <vector>

#include "press/jpeg_block_rows.hpp"
#include "press/jpeg_guard.hpp"
#include "press/jpeg_quant_tables.hpp"

namespace imgpress::press {

// In which directions the chroma has luma's resolution.
struct ChromaFineness {
  bool across = false;
  bool down = false;
  bool any() const { return across || down; }
};

// True for colours stored as luma and chroma, the latter in full or half luma's resolution.
bool has_ordinary_chroma(const jpeg_decompress_struct& header);

// Of ordinary chroma.
ChromaFineness chroma_fineness(const jpeg_decompress_struct& header);

// Replaces the chroma of `components` by one of half the resolution, so that the picture becomes
// 4:2:0. Their entries in `tables` become those of the new coefficients. Luma keeps its
// coefficients.
void halve_chroma(JpegGuard& guard, jpeg_decompress_struct& in, ChromaFineness fineness,
                  std::vector<JpegBlockRows>& components, ComponentTables& tables);

}  // namespace imgpress::press
