// Writes a JPEG file from coefficients.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/rules/options.hpp"
#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/rows/block_rows.hpp"
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

  // Adds the image's next row of MCUs.
  void add(const CoefficientImage& part);

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

// Writes an image whose blocks are in `rows`, row by row; of `image` only the planes are looked at.
// Effort "small" writes a progressive file, the others a baseline file. std::nullopt when the file
// would not be smaller than `size_limit` bytes.
std::optional<std::vector<std::uint8_t>> write_coefficients(const CoefficientImage& image,
                                                            const ImageRows& rows,
                                                            const FrameHeader& header,
                                                            const ImageMetadata& metadata,
                                                            Effort effort, std::size_t size_limit);

}  // namespace imgpress::press
