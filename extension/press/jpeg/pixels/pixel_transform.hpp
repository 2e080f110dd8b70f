// Turns the rows of an image into coefficients, in portions of a few rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/pixels/level_quantiser.hpp"

namespace imgpress::press {

enum class PixelColours { kGrey, kRgb, kYcc };

class PixelTransform {
 public:
  // `fineness`: see LevelQuantiser.
  PixelTransform(PixelColours colours, std::uint32_t width, std::uint32_t height,
                 const QualityTables& steps, int fineness);

  // Rows that make a row of MCUs. Every call of add() takes so many, but for the last one.
  std::size_t portion() const { return colours_ == PixelColours::kGrey ? kSide : 2 * kSide; }

  // The next rows of the image, from the top. `rows` has room for a whole portion.
  void add(std::vector<const std::uint8_t*>& rows);

  // Grey, or YCbCr in 4:2:0. To be called after the last row.
  CoefficientImage take() { return std::move(image_); }

 private:
  PixelColours colours_;
  std::uint32_t width_;
  std::uint32_t next_row_ = 0;  // of MCUs
  LevelQuantiser luma_;
  LevelQuantiser chroma_;
  CoefficientImage image_;
};

}  // namespace imgpress::press
