#include "press/jpeg/pixels/pixel_transform.hpp"

#include <algorithm>
#include <cstring>

#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/pixels/pixel_tile.hpp"

namespace imgpress::press {
namespace {

std::uint32_t blocks_for(std::uint32_t samples) {
  return static_cast<std::uint32_t>((std::uint64_t{samples} + kSide - 1) / kSide);
}

Plane make_plane(std::uint8_t id, Channel channel, std::uint32_t width, std::uint32_t height) {
  Plane plane;
  plane.id = id;
  plane.channel = channel;
  plane.width = blocks_for(width);
  plane.height = blocks_for(height);
  plane.make_blocks();
  return plane;
}

// Rows of pixels whose width is a multiple of a tile's: at the right edge the last pixel is
// repeated.
template <std::size_t kRows, std::size_t kChannels>
class TileRows {
 public:
  static constexpr std::size_t kBytes = kRows * kChannels;  // of a row; a tile is a square

  IMGPRESS_INLINE TileRows(const std::uint8_t* const* rows, std::uint32_t width)
      : rows_(rows), width_(width) {}

  // Moves on to the tile with the column `left`.
  IMGPRESS_INLINE void move_to(std::uint32_t left) {
    offset_ = std::size_t{left} * kChannels;
    padded_ = width_ - left < kRows;
    if (padded_) pad(width_ - left);
  }

  IMGPRESS_INLINE const std::uint8_t* operator[](std::size_t y) const {
    return padded_ ? edge_[y] : rows_[y] + offset_;
  }

 private:
  void pad(std::size_t columns) {
    for (std::size_t y = 0; y < kRows; ++y) {
      std::memcpy(edge_[y], rows_[y] + offset_, columns * kChannels);
      for (std::size_t i = columns * kChannels; i < kBytes; ++i) {
        edge_[y][i] = edge_[y][i - kChannels];
      }
    }
  }

  const std::uint8_t* const* rows_;
  std::uint32_t width_;
  std::size_t offset_ = 0;
  bool padded_ = false;
  std::uint8_t edge_[kRows][kBytes];
};

// The quantisers of luma and chroma.
struct Quantisers {
  const LevelQuantiser& luma;
  const LevelQuantiser& chroma;
};

// Where the coefficients of an MCU go: four blocks of luma, of which those beyond an edge are
// nullptr, and two of chroma.
struct TileBlocks {
  Block* blocks[kTileBlocks];

  TileBlocks(CoefficientImage& image, std::uint32_t x, std::uint32_t y)
      : blocks{luma(image[0], 2 * x, 2 * y),
               luma(image[0], 2 * x + 1, 2 * y),
               luma(image[0], 2 * x, 2 * y + 1),
               luma(image[0], 2 * x + 1, 2 * y + 1),
               image[1].row(y) + x,
               image[2].row(y) + x} {}

  static Block* luma(Plane& plane, std::uint32_t x, std::uint32_t y) {
    return x < plane.width && y < plane.height ? plane.row(y) + x : nullptr;
  }
};

// So many tiles ahead memory is fetched into the cache.
constexpr std::size_t kAhead = 8;

template <typename Colours>
IMGPRESS_INLINE void transform_colours(const std::uint8_t* const* rows, std::uint32_t width,
                                       std::uint32_t mcu_y, Quantisers quantisers,
                                       CoefficientImage& image) {
  TileRows<kTileSide, 3> tile(rows, width);
  TileSamples samples;
  for (std::uint32_t x = 0; x < image[1].width; ++x) {
    tile.move_to(x * kTileSide);
    for (std::size_t y = 0; y < kTileSide; y += 2) {
      __builtin_prefetch(rows[y] + (x + kAhead) * kTileSide * 3);
      __builtin_prefetch(rows[y + 1] + (x + kAhead) * kTileSide * 3);
      add_rows<Colours>(tile[y], tile[y + 1], y, samples);
    }
    const TileBlocks to(image, x, mcu_y);
    for (std::size_t i = 0; i < kTileBlocks; ++i) {
      if (to.blocks[i] == nullptr) continue;
      forward_dct(samples.blocks[i]);
      (i < kFirstChroma ? quantisers.luma : quantisers.chroma)
          .quantise(samples.blocks[i], *to.blocks[i]);
    }
  }
}

IMGPRESS_CPU_TARGETS
void transform_rgb(const std::uint8_t* const* rows, std::uint32_t width, std::uint32_t mcu_y,
                   Quantisers quantisers, CoefficientImage& image) {
  transform_colours<FromRgb>(rows, width, mcu_y, quantisers, image);
}

IMGPRESS_CPU_TARGETS
void transform_ycc(const std::uint8_t* const* rows, std::uint32_t width, std::uint32_t mcu_y,
                   Quantisers quantisers, CoefficientImage& image) {
  transform_colours<FromYcc>(rows, width, mcu_y, quantisers, image);
}

IMGPRESS_CPU_TARGETS
void transform_grey(const std::uint8_t* const* rows, std::uint32_t width, std::uint32_t y,
                    const LevelQuantiser& luma, CoefficientImage& image) {
  TileRows<kSide, 1> tile(rows, width);
  for (std::uint32_t x = 0; x < image[0].width; ++x) {
    tile.move_to(x * kSide);
    Eight samples[kSide];
    for (std::size_t i = 0; i < kSide; i += 2) {
      SixteenBytes bytes;  // two rows
      std::memcpy(&bytes, tile[i], kSide);
      std::memcpy(reinterpret_cast<char*>(&bytes) + kSide, tile[i + 1], kSide);
      Samples both;
      both.convert(bytes);
      both.split(samples[i], samples[i + 1]);
      samples[i] -= kMiddle;
      samples[i + 1] -= kMiddle;
    }
    forward_dct(samples);
    luma.quantise(samples, image[0].row(y)[x]);
  }
}

}  // namespace

CoefficientImage make_image(PixelColours colours, std::uint32_t width, std::uint32_t height) {
  CoefficientImage image;
  image.push_back(make_plane(1, Channel::kLuma, width, height));
  if (colours == PixelColours::kGrey) return image;
  image[0].h_factor = image[0].v_factor = 2;
  for (const std::uint8_t id : {2, 3}) {
    image.push_back(make_plane(id, Channel::kChroma, (width + 1) / 2, (height + 1) / 2));
  }
  return image;
}

PixelTransform::PixelTransform(PixelColours colours, std::uint32_t width,
                               const QualityTables& steps, int fineness)
    : colours_(colours),
      width_(width),
      luma_(steps.luma, fineness),
      chroma_(steps.chroma, fineness) {}

// Below the last row of the image that row is repeated.
void PixelTransform::transform(std::vector<const std::uint8_t*> rows, CoefficientImage& image,
                               std::uint32_t mcu_y) const {
  rows.resize(portion(), rows.back());
  if (colours_ == PixelColours::kRgb) {
    transform_rgb(rows.data(), width_, mcu_y, {luma_, chroma_}, image);
  } else if (colours_ == PixelColours::kYcc) {
    transform_ycc(rows.data(), width_, mcu_y, {luma_, chroma_}, image);
  } else {
    transform_grey(rows.data(), width_, mcu_y, luma_, image);
  }
}

}  // namespace imgpress::press
