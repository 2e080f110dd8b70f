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

// The same in bytes, where there are many rows.
constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kAheadInPlane = 4 * kCacheLine;

// The rows of pixels of a row of MCUs, and where they go.
struct McuRow {
  const std::uint8_t* const* rows;
  std::uint32_t width;
  CoefficientImage& image;
  std::uint32_t y;
};

template <typename Numbers, typename Colours>
IMGPRESS_INLINE void transform_colours(const McuRow& mcus, Quantisers quantisers) {
  TileRows<kTileSide, 3> tile(mcus.rows, mcus.width);
  TileSamples<Numbers> samples;
  for (std::uint32_t x = 0; x < mcus.image[1].width; ++x) {
    tile.move_to(x * kTileSide);
    for (std::size_t y = 0; y < kTileSide; y += 2) {
      __builtin_prefetch(mcus.rows[y] + (x + kAhead) * kTileSide * 3);
      __builtin_prefetch(mcus.rows[y + 1] + (x + kAhead) * kTileSide * 3);
      add_rows<Numbers, Colours>(tile[y], tile[y + 1], y, samples);
    }
    const TileBlocks to(mcus.image, x, mcus.y);
    for (std::size_t i = 0; i < kTileBlocks; ++i) {
      if (to.blocks[i] == nullptr) continue;
      forward_dct(samples.blocks[i]);
      (i < kFirstChroma ? quantisers.luma : quantisers.chroma)
          .quantise(samples.blocks[i], *to.blocks[i]);
    }
  }
}

// A row of blocks of a plane, which becomes row `to`.
template <typename Numbers>
IMGPRESS_INLINE void transform_plane(const std::uint8_t* const* rows, std::uint32_t width,
                                     std::uint8_t least, std::uint8_t most,
                                     const LevelQuantiser& quantiser, Block* to) {
  TileRows<kSide, 1> tile(rows, width);
  VectorBlock<Numbers> samples;
  for (std::uint32_t x = 0; x < width; x += kSide) {
    tile.move_to(x);
    if (x % kCacheLine == 0) {
      for (std::size_t y = 0; y < kSide; ++y) __builtin_prefetch(rows[y] + x + kAheadInPlane);
    }
    for (std::size_t part = 0; part < samples.kParts; ++part) {
      for (std::size_t y = 0; y < kSide; ++y) {
        load_bounded(tile[y] + part * samples.kLanes, least, most, samples.parts[part][y]);
      }
    }
    forward_dct(samples);
    quantiser.quantise(samples, *to++);
  }
}

template <typename Numbers>
IMGPRESS_INLINE void transform_planes(const McuRow& mcus, Quantisers quantisers) {
  const std::uint8_t* const* rows = mcus.rows;
  for (std::uint32_t y = 2 * mcus.y; y < std::min(mcus.image[0].height, 2 * mcus.y + 2); ++y) {
    transform_plane<Numbers>(rows + y % 2 * kSide, mcus.width, kLeastVideo, kMostVideoLuma,
                             quantisers.luma, mcus.image[0].row(y));
  }
  for (const std::size_t i : {1, 2}) {
    transform_plane<Numbers>(rows + (i + 1) * kSide, (mcus.width + 1) / 2, kLeastVideo,
                             kMostVideoChroma, quantisers.chroma, mcus.image[i].row(mcus.y));
  }
}

template <typename Numbers>
IMGPRESS_INLINE void transform_any(PixelColours colours, const McuRow& mcus,
                                   Quantisers quantisers) {
  switch (colours) {
    case PixelColours::kGrey:
      return transform_plane<Numbers>(mcus.rows, mcus.width, 0, UINT8_MAX, quantisers.luma,
                                      mcus.image[0].row(mcus.y));
    case PixelColours::kRgb:
      return transform_colours<Numbers, FromRgb>(mcus, quantisers);
    case PixelColours::kYcc:
      return transform_colours<Numbers, FromYcc>(mcus, quantisers);
    case PixelColours::kVideo:
      return transform_planes<Numbers>(mcus, quantisers);
  }
}

IMGPRESS_ANY_CPU
void transform_row(PixelColours colours, const McuRow& mcus, Quantisers quantisers) {
  transform_any<Four>(colours, mcus, quantisers);
}

#ifdef IMGPRESS_AVX2
IMGPRESS_AVX2
void transform_row(PixelColours colours, const McuRow& mcus, Quantisers quantisers) {
  transform_any<Eight>(colours, mcus, quantisers);
}
#endif

SampleRange luma_range(PixelColours colours) {
  if (colours != PixelColours::kVideo) return {kMiddle, 1};
  constexpr float kUnit = (kMostVideoLuma - kLeastVideo) / 255.0F;
  return {kLeastVideo + kMiddle * kUnit, kUnit};
}

SampleRange chroma_range(PixelColours colours) {
  if (colours == PixelColours::kRgb) return {};
  return {kMiddle, colours == PixelColours::kVideo ? (kMostVideoChroma - kLeastVideo) / 255.0F : 1};
}

}  // namespace

CoefficientImage make_image(PixelColours colours, std::uint32_t width, std::uint32_t height) {
  CoefficientImage image;
  image.push_back(make_plane(1, Channel::kLuma, width, height));
  if (colours == PixelColours::kGrey) return image;
  image[0].h_factor = image[0].v_factor = 2;
  image.push_back(make_plane(2, Channel::kBlue, (width + 1) / 2, (height + 1) / 2));
  image.push_back(make_plane(3, Channel::kRed, (width + 1) / 2, (height + 1) / 2));
  return image;
}

PixelTransform::PixelTransform(PixelColours colours, std::uint32_t width,
                               const QualityTables& steps, int fineness)
    : colours_(colours),
      width_(width),
      luma_(steps.luma, fineness, luma_range(colours)),
      chroma_(steps.chroma, fineness, chroma_range(colours)) {}

// Below the last row of the image that row is repeated.
void PixelTransform::transform(std::vector<const std::uint8_t*> rows, CoefficientImage& image,
                               std::uint32_t mcu_y) const {
  if (colours_ != PixelColours::kVideo) rows.resize(portion(), rows.back());
  transform_row(colours_, {rows.data(), width_, image, mcu_y}, {luma_, chroma_});
}

}  // namespace imgpress::press
