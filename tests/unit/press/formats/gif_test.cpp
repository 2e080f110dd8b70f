#include <gtest/gtest.h>

#include "support/images/image_fixtures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

// Noise of three colours, which GIF compresses badly, so that a JPEG is smaller.
Bytes grain(int width, int height) {
  Bytes indices;
  for (int i = 0; i < width * height; ++i) {
    indices.push_back(std::uint8_t((lattice(i % width, i / width, 3) + 1) * 1.499));
  }
  return indices;
}

const std::uint8_t kColours[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {0, 0, 0}};

Picture drawn(int width, int height, const Bytes& indices) {
  Picture picture{width, height, 3, {}};
  for (const std::uint8_t index : indices) {
    picture.samples.insert(picture.samples.end(), kColours[index], kColours[index] + 3);
  }
  return picture;
}

void expect_colour(const Picture& picture, int x, int y, const std::vector<int>& colour) {
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(picture.pixel(x, y)[c], colour[c], 12) << x << ", " << y;
  }
}

TEST(Gif, ASmallSourceIsKept) {
  const Bytes source = make_gif(16, 16, Bytes(256, 2));
  const CodecResult result = press(source);
  EXPECT_TRUE(result.kept_source);
  EXPECT_EQ(result.format, ImageFormat::kGif);
  EXPECT_EQ(result.bytes, source);
  EXPECT_EQ(result.width, 16U);
}

TEST(Gif, GrainIsSmallerAsJpeg) {
  for (const bool interlaced : {false, true}) {
    GifForm form;
    form.interlaced = interlaced;
    Bytes indices = grain(128, 128);
    for (int y = 0; y < 64; ++y) std::fill_n(indices.begin() + y * 128, 128, std::uint8_t(0));
    const CodecResult result = press(make_gif(128, 128, indices, form), 5);
    ASSERT_EQ(result.format, ImageFormat::kJpeg);
    const Picture picture = read_jpeg(result.bytes).picture;
    EXPECT_GT(psnr(picture, drawn(128, 128, indices)), 10);
    for (int y = 4; y < 60; y += 4) {
      EXPECT_NEAR(picture.pixel(20, y)[0], 255, 40) << y;
      EXPECT_NEAR(picture.pixel(20, y)[2], 0, 40) << y;
    }
    EXPECT_EQ(result.warning, "");
  }
}

TEST(Gif, TransparentPixelsAndTheRestOfTheScreenAreWhite) {
  GifForm form;
  form.screen_width = 256;
  form.screen_height = 192;
  form.left = 64;
  form.top = 32;
  form.transparent = 3;
  Bytes indices = grain(128, 128);
  for (int y = 64; y < 128; ++y) std::fill_n(indices.begin() + y * 128, 128, std::uint8_t(3));
  for (int y = 0; y < 32; ++y) std::fill_n(indices.begin() + y * 128, 128, std::uint8_t(2));
  const CodecResult result = press(make_gif(128, 128, indices, form), 10);
  ASSERT_EQ(result.format, ImageFormat::kJpeg);
  EXPECT_EQ(result.width, 256U);
  EXPECT_EQ(result.height, 192U);
  const Picture picture = read_jpeg(result.bytes).picture;
  expect_colour(picture, 8, 8, {255, 255, 255});
  expect_colour(picture, 250, 100, {255, 255, 255});
  expect_colour(picture, 128, 140, {255, 255, 255});  // inside of the frame, transparent
  EXPECT_GT(picture.pixel(128, 44)[2], 200);          // blue at the top of the frame
  EXPECT_LT(picture.pixel(128, 44)[1], 80);
}

TEST(Gif, AFrameLargerThanItsScreenIsNotCropped) {
  GifForm form;
  form.screen_width = 16;
  form.screen_height = 16;
  const CodecResult result = press(make_gif(128, 100, grain(128, 100), form), 5);
  EXPECT_EQ(result.width, 128U);
  EXPECT_EQ(result.height, 100U);
}

TEST(Gif, TheFirstFrameOfAnAnimationIsTaken) {
  GifForm form;
  form.frames = 3;
  const CodecResult result = press(make_gif(128, 128, grain(128, 128), form), 5);
  ASSERT_EQ(result.format, ImageFormat::kJpeg);
  EXPECT_NE(result.warning.find("first frame"), std::string::npos);
}

}  // namespace
}  // namespace imgpress::press
