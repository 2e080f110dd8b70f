// Writes a JPEG file from coefficients.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/write/mcu_order.hpp"
#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {

// Writes a baseline file, whose coefficients need not all be there at once. Effort "fast" chooses
// the Huffman codes from part of the image.
class BaselineWriter {
 public:
  // `rows`: of MCUs, in the whole image.
  BaselineWriter(std::uint32_t rows, Effort effort);

  // Adds the image's next row of MCUs, which is row `y` of `part`.
  void add(const CoefficientImage& part, std::uint32_t y);

  // After the last row. Only the planes of `image` are looked at, not their blocks.
  std::optional<std::vector<std::uint8_t>> finish(const CoefficientImage& image,
                                                  const FrameHeader& header,
                                                  const ImageMetadata& metadata,
                                                  std::size_t size_limit);

 private:
  bool sampled_;
  std::uint32_t next_row_ = 0;
  DcPredictor dc_;
  SymbolStream stream_;
};

// Effort "small" writes a progressive file, the others a baseline file. std::nullopt when the file
// would not be smaller than `size_limit` bytes.
std::optional<std::vector<std::uint8_t>> write_coefficients(const CoefficientImage& image,
                                                            const FrameHeader& header,
                                                            const ImageMetadata& metadata,
                                                            Effort effort, std::size_t size_limit);

}  // namespace imgpress::press
