// Encodes an image whose rows come one after the other, in portions of a row of MCUs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/rules/options.hpp"
#include "press/jpeg/pixels/pixel_transform.hpp"
#include "press/jpeg/write/coefficient_writer.hpp"

namespace imgpress::press {

class RowEncoder {
 public:
  RowEncoder(PixelColours colours, std::uint32_t width, std::uint32_t height,
             const QualityTables& tables, Effort effort);

  // How many rows make a portion.
  std::size_t portion() const { return transform_.portion(); }

  // The next portion, which only at the end of the image may be a smaller one.
  void add(std::vector<const std::uint8_t*> rows);

  // After the last row. std::nullopt when the file would not be smaller than `size_limit` bytes.
  std::optional<std::vector<std::uint8_t>> finish(const ImageMetadata& metadata,
                                                  std::size_t size_limit);

 private:
  Effort effort_;
  FrameHeader header_;
  PixelTransform transform_;
  CoefficientImage image_;  // all of it for effort "small", otherwise only a row of MCUs
  BaselineWriter baseline_;
  std::uint32_t next_row_ = 0;  // of MCUs
};

}  // namespace imgpress::press
