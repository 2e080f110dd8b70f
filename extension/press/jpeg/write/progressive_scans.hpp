// Writes the scans of a progressive file from coefficients. Each scan holds a band of frequencies
// in full precision: with steps as coarse as ours that makes smaller files than successive
// approximation.
#pragma once

#include <cstddef>
#include <vector>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/write/band_symbols.hpp"
#include "press/jpeg/write/mcu_order.hpp"
#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {

class ProgressiveScans {
 public:
  explicit ProgressiveScans(std::size_t planes);

  // Adds the image's next row of MCUs.
  void add(const CoefficientImage& part);

  // After the last row. Only the planes of `image` are looked at, not their blocks. False once the
  // file has `size_limit` bytes or more.
  bool put(const CoefficientImage& image, std::size_t size_limit, SegmentWriter& file);

 private:
  DcPredictor dc_;
  SymbolStream dc_symbols_;
  std::vector<std::vector<BandSymbols>> bands_;  // of each plane
};

}  // namespace imgpress::press
