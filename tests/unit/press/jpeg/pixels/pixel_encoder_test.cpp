// Compares the encoder of pixels with libjpeg's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "press/jpeg/pixels/pixel_encoder.hpp"
#include "support/images/image_fixtures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

Bytes encoded(const Picture& picture, Effort effort, int quality) {
  PixelImage image;
  image.width = std::uint32_t(picture.width);
  image.height = std::uint32_t(picture.height);
  image.channels = picture.channels;
  image.samples = picture.samples;
  CodecOptions options;
  options.effort = effort;
  options.quality = quality;
  return encode_pixels(image, options, 10'000'000).value();
}

Bytes by_libjpeg(const Picture& picture, Effort effort, int quality) {
  JpegForm form;
  form.quality = quality;
  form.optimised = effort != Effort::kFast;
  if (picture.channels == 1) form.luma_across = form.luma_down = 1;
  return make_jpeg(picture, form);
}

class EncoderQualities : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(EncoderQualities, FilesAreNeitherWorseNorLargerThanThoseOfLibjpeg) {
  const auto [channels, quality] = GetParam();
  const Picture picture = photograph(533, 401, channels);
  for (const Effort effort : {Effort::kFast, Effort::kBalanced}) {
    const Bytes ours = encoded(picture, effort, quality);
    const Bytes theirs = by_libjpeg(picture, effort, quality);
    EXPECT_LE(ours.size(), theirs.size() * 1001 / 1000);
    EXPECT_GE(psnr(read_jpeg(ours).picture, picture),
              psnr(read_jpeg(theirs).picture, picture) - 0.001);
    EXPECT_EQ(read_jpeg(ours).tables, read_jpeg(theirs).tables);
    EXPECT_EQ(read_jpeg(ours).warnings, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EncoderQualities,
                         testing::Values(std::pair{1, 50}, std::pair{1, 92}, std::pair{3, 10},
                                         std::pair{3, 50}, std::pair{3, 75}, std::pair{3, 95},
                                         std::pair{3, 100}));

TEST(PixelEncoder, EverySizeUpToTwoUnits) {
  for (int side = 1; side <= 33; ++side) {
    for (const int channels : {1, 3}) {
      const Picture picture = photograph(side, 34 - side, channels, side);
      for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
        const JpegFacts facts = read_jpeg(encoded(picture, effort, 90));
        EXPECT_EQ(facts.warnings, 0);
        EXPECT_EQ(facts.components, channels);
        EXPECT_EQ(facts.picture.width, picture.width);
        EXPECT_GT(psnr(facts.picture, picture), 30) << side << " " << channels;
      }
    }
  }
}

// A sphere in soft light.
Picture gradient(double x0, double y0, double radius) {
  Picture picture{320, 240, 1, {}};
  for (int y = 0; y < 240; ++y) {
    for (int x = 0; x < 320; ++x) {
      const double light = 128 + 60 * std::cos(std::hypot(x - x0, y - y0) / radius);
      picture.samples.push_back(std::uint8_t(std::lround(light)));
    }
  }
  return picture;
}

// How much an image differs from its source on one side of a block's border and not on the other.
double jumps_at_borders(const Picture& picture, const Picture& source) {
  const auto error = [&](int x, int y) {
    return double(picture.pixel(x, y)[0]) - source.pixel(x, y)[0];
  };
  double sum = 0;
  for (int y = 8; y < source.height; ++y) {
    for (int x = 8; x < source.width; ++x) {
      if (x % 8 == 0) sum += std::abs(error(x, y) - error(x - 1, y));
      if (y % 8 == 0) sum += std::abs(error(x, y) - error(x, y - 1));
    }
  }
  return sum;
}

TEST(PixelEncoder, GradientsShowTheirBlocksNoMoreThanByLibjpeg) {
  for (const int quality : {30, 50, 75}) {
    double from_pixels = 0;
    double pixels_by_libjpeg = 0;
    double from_jpeg = 0;
    double jpeg_by_libjpeg = 0;
    for (const auto& [x, y, radius] :
         std::vector<std::tuple<int, int, int>>{{160, 120, 130}, {-30, 40, 240}, {300, -50, 90}}) {
      const Picture source = gradient(x, y, radius);
      const auto jumps = [&](const Bytes& file) {
        return jumps_at_borders(read_jpeg(file).picture, source);
      };
      from_pixels += jumps(encoded(source, Effort::kSmall, quality));
      pixels_by_libjpeg += jumps(by_libjpeg(source, Effort::kFast, quality));
      const Bytes fine = by_libjpeg(source, Effort::kFast, 92);
      from_jpeg += jumps(press(fine, Effort::kSmall, quality).bytes);
      jpeg_by_libjpeg += jumps(by_libjpeg(read_jpeg(fine).picture, Effort::kFast, quality));
    }
    EXPECT_LE(from_pixels, pixels_by_libjpeg * 1.02) << quality;
    EXPECT_LE(from_jpeg, jpeg_by_libjpeg * 1.02) << quality;
  }
}

std::uint8_t byte_of(double value) {
  return std::uint8_t(std::lround(std::clamp(value, 0.0, 255.0)));
}

// A pixel of video (ITU-R BT.601) as RGB.
void show(std::uint8_t luma, std::uint8_t blue, std::uint8_t red, std::uint8_t* rgb) {
  const double y = (std::clamp<double>(luma, 16, 235) - 16) * 255 / 219;
  const double cb = (std::clamp<double>(blue, 16, 240) - 128) * 255 / 224;
  const double cr = (std::clamp<double>(red, 16, 240) - 128) * 255 / 224;
  rgb[0] = byte_of(y + 1.402 * cr);
  rgb[1] = byte_of(y - 0.344136 * cb - 0.714136 * cr);
  rgb[2] = byte_of(y + 1.772 * cb);
}

// Each plane is a ramp through all values; chroma changes slowly, since its interpolation is not
// compared.
TEST(PixelEncoder, VideoLooksAsItDoesInVideo) {
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{512, 256}, {509, 255}, {33, 17}, {8, 40}, {1, 1}}) {
    Picture expected{width, height, 3, Bytes(std::size_t(width) * height * 3)};
    PixelImage image;
    image.width = std::uint32_t(width);
    image.height = std::uint32_t(height);
    image.is_video = true;
    const auto luma_at = [](int x, int y) { return std::uint8_t(x + 2 * y); };
    const auto blue_at = [](int x, int) { return std::uint8_t(x); };
    const auto red_at = [](int, int y) { return std::uint8_t(255 - y); };
    const auto add_plane = [&image](int columns, int rows, const auto& sample_at) {
      for (int i = 0; i < columns * rows; ++i) {
        image.samples.push_back(sample_at(i % columns, i / columns));
      }
    };
    add_plane(width, height, luma_at);
    add_plane((width + 1) / 2, (height + 1) / 2, blue_at);
    add_plane((width + 1) / 2, (height + 1) / 2, red_at);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        show(luma_at(x, y), blue_at(x / 2, y / 2), red_at(x / 2, y / 2),
             expected.row(y) + std::ptrdiff_t{3} * x);
      }
    }
    for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
      CodecOptions options;
      options.effort = effort;
      options.quality = 100;
      const JpegFacts facts = read_jpeg(encode_pixels(image, options, 10'000'000).value());
      EXPECT_EQ(facts.warnings, 0);
      EXPECT_GT(psnr(facts.picture, expected), 38) << width << " " << int(effort);
      EXPECT_GT(psnr_from_afar(facts.picture, expected), 38) << width << " " << int(effort);
    }
  }
}

TEST(PixelEncoder, StopsAtTheSizeLimit) {
  PixelImage image;
  image.width = image.height = 64;
  image.samples = photograph(64, 64).samples;
  const std::size_t size = encode_pixels(image, {}, 1'000'000)->size();
  EXPECT_TRUE(encode_pixels(image, {}, size + 1));
  EXPECT_FALSE(encode_pixels(image, {}, size));
}

}  // namespace
}  // namespace imgpress::press
