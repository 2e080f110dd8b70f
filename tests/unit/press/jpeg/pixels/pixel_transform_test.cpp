// Compares the coefficients of pixels with those that the definitions give, in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "press/jpeg/pixels/pixel_transform.hpp"
#include "support/images/pictures.hpp"
#include "support/images/quant_tables.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

// Samples around zero; beyond an edge the last ones are repeated.
struct Samples {
  std::uint32_t width;
  std::uint32_t height;
  std::vector<double> values;

  double at(std::uint32_t x, std::uint32_t y) const {
    return values[std::size_t{std::min(y, height - 1)} * width + std::min(x, width - 1)];
  }
};

Samples channel(const Picture& picture, PixelColours colours, int number) {
  static const double kMatrix[3][3] = {{0.299, 0.587, 0.114},
                                       {-0.299 / 1.772, -0.587 / 1.772, 0.5},
                                       {0.5, -0.587 / 1.402, -0.114 / 1.402}};
  Samples samples{std::uint32_t(picture.width), std::uint32_t(picture.height), {}};
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const std::uint8_t* p = picture.pixel(x, y);
      const double* row = kMatrix[number];
      const double mixed = row[0] * p[0] + row[1] * p[1] + row[2] * p[2];
      samples.values.push_back(colours != PixelColours::kRgb ? p[number] - 128.0
                               : number == 0                 ? mixed - 128
                                                             : mixed);
    }
  }
  return samples;
}

// Of whole blocks: at an edge pixels are repeated before they are averaged.
Samples halved(const Samples& full) {
  Samples half{(full.width + 15) / 16 * 8, (full.height + 15) / 16 * 8, {}};
  for (std::uint32_t y = 0; y < 2 * half.height; y += 2) {
    for (std::uint32_t x = 0; x < 2 * half.width; x += 2) {
      half.values.push_back(
          (full.at(x, y) + full.at(x + 1, y) + full.at(x, y + 1) + full.at(x + 1, y + 1)) / 4);
    }
  }
  return half;
}

double coefficient(const Samples& samples, std::uint32_t left, std::uint32_t top, std::size_t u,
                   std::size_t v) {
  static const auto cosine = [](std::size_t k, std::uint32_t n) {
    return (k == 0 ? std::sqrt(0.5) : 1) * std::cos((2 * n + 1) * double(k) * M_PI / 16);
  };
  double sum = 0;
  for (std::uint32_t y = 0; y < 8; ++y) {
    for (std::uint32_t x = 0; x < 8; ++x) {
      sum += samples.at(left + x, top + y) * cosine(u, x) * cosine(v, y);
    }
  }
  return sum / 4;
}

CoefficientImage transformed(const Picture& picture, PixelColours colours,
                             const QualityTables& steps, int fineness) {
  const auto width = std::uint32_t(picture.width);
  const auto height = std::uint32_t(picture.height);
  const PixelTransform transform(colours, width, steps, fineness);
  CoefficientImage image = make_image(colours, width, height);
  for (Plane& plane : image) {
    plane.steps = plane.channel == Channel::kLuma ? steps.luma : steps.chroma;
  }
  for (std::size_t y = 0; y < height; y += transform.portion()) {
    std::vector<const std::uint8_t*> rows;
    for (std::size_t i = y; i < std::min<std::size_t>(height, y + transform.portion()); ++i) {
      rows.push_back(picture.pixel(0, int(i)));
    }
    transform.transform(rows, image, std::uint32_t(y / transform.portion()));
  }
  return image;
}

// The largest distance of a level from its exact value; but for white and black blocks.
double largest_error(const Plane& plane, const Samples& samples, int fineness) {
  EXPECT_EQ(plane.width, (samples.width + 7) / 8);
  EXPECT_EQ(plane.height, (samples.height + 7) / 8);
  double largest = 0;
  for (std::uint32_t y = 0; y < plane.height; ++y) {
    for (std::uint32_t x = 0; x < plane.width; ++x) {
      for (std::size_t i = 0; i < kBlockSize; ++i) {
        const double exact = coefficient(samples, 8 * x, 8 * y, kZigzag[i] % 8, kZigzag[i] / 8);
        if (i == 0 && std::abs(exact) >= kWhiteDc) continue;
        const double level = plane.row(y)[x].at[i];
        largest = std::max(largest, std::abs(level - exact * fineness / plane.steps[i]));
      }
    }
  }
  return largest;
}

class PixelSizes : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(PixelSizes, LevelsAreTheNearest) {
  const auto [width, height] = GetParam();
  for (const PixelColours colours : {PixelColours::kGrey, PixelColours::kRgb, PixelColours::kYcc}) {
    const int channels = colours == PixelColours::kGrey ? 1 : 3;
    const Picture picture = photograph(width, height, channels, width + height);
    for (const auto& [step, fineness] :
         std::vector<std::pair<std::uint16_t, int>>{{1, 16}, {1, 1}, {30, 1}}) {
      const QualityTables steps{uniform(step), uniform(std::uint16_t(step + 5))};
      const CoefficientImage image = transformed(picture, colours, steps, fineness);
      ASSERT_EQ(image.size(), std::size_t(channels));
      for (int i = 0; i < channels; ++i) {
        const Samples samples = channel(picture, colours, i);
        EXPECT_LT(
            largest_error(image[std::size_t(i)], i == 0 ? samples : halved(samples), fineness),
            0.505);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PixelSizes,
                         testing::Values(std::pair{1, 1}, std::pair{16, 16}, std::pair{17, 9},
                                         std::pair{31, 33}, std::pair{8, 24}, std::pair{3, 40}));

// A channel that is all 0 or all 255 has the largest coefficients that there are.
TEST(PixelTransform, ExtremeColours) {
  for (const Bytes& colour :
       std::vector<Bytes>{{255, 255, 255}, {0, 0, 0}, {255, 0, 0}, {0, 0, 255}, {0, 255, 255}}) {
    const Picture picture = plain(32, 32, colour);
    const CoefficientImage image =
        transformed(picture, PixelColours::kRgb, {uniform(1), uniform(1)}, 16);
    for (int i = 0; i < 3; ++i) {
      const double exact = channel(picture, PixelColours::kRgb, i).values[0] * 8 * 16;
      const Plane& plane = image[std::size_t(i)];
      for (std::size_t b = 0; b < plane.count(); ++b) {
        EXPECT_NEAR(plane.blocks[b].at[0], exact, 0.6);
      }
    }
  }
}

// Where the nearest level of a coarse step is too dark for white, the next one is taken.
TEST(PixelTransform, WhiteStaysWhiteAndBlackBlack) {
  for (std::uint16_t step = 1; step <= 255; ++step) {
    for (const std::uint8_t shade : {std::uint8_t{255}, std::uint8_t{0}}) {
      const Picture picture = plain(8, 8, {shade});
      const CoefficientImage image =
          transformed(picture, PixelColours::kGrey, {uniform(step), uniform(step)}, 1);
      const double sample = image[0].blocks[0].at[0] * step / 8.0 + 128;
      EXPECT_EQ(std::clamp(std::floor(sample + 0.5), 0.0, 255.0), shade) << step;
    }
  }
}

}  // namespace
}  // namespace imgpress::press
