// Turns the rows of an image into coefficients, in portions of a few rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "press/jpeg/coefficients/coefficient_image.hpp"
#include "press/jpeg/libjpeg_quant_tables.hpp"
#include "press/jpeg/pixels/level_quantiser.hpp"

namespace imgpress::press {

// kVideo: planes as in PixelImage.
enum class PixelColours { kGrey, kRgb, kYcc, kVideo };

// Grey, or YCbCr in 4:2:0. Its blocks are uninitialised.
CoefficientImage make_image(PixelColours colours, std::uint32_t width, std::uint32_t height);

class PixelTransform {
 public:
  // `fineness`: see LevelQuantiser.
  PixelTransform(PixelColours colours, std::uint32_t width, const QualityTables& steps,
                 int fineness);

  // Rows of pixels in a row of MCUs.
  std::size_t portion() const { return colours_ == PixelColours::kGrey ? kSide : 2 * kSide; }

  // Makes row `mcu_y` of MCUs. There may be fewer rows of pixels than a portion; but for kVideo,
  // where those of the chroma planes follow, the last rows are to be repeated.
  void transform(std::vector<const std::uint8_t*> rows, CoefficientImage& image,
                 std::uint32_t mcu_y) const;

 private:
  PixelColours colours_;
  std::uint32_t width_;
  LevelQuantiser luma_;
  LevelQuantiser chroma_;
};

}  // namespace imgpress::press
