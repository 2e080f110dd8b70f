#include <gtest/gtest.h>

#include "support/images/image_fixtures.hpp"
#include "press/codec/exif_orientation.hpp"
#include "press/formats/png_chunks.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

// Texture makes the file large enough for a JPEG to be smaller. A third of the columns each is
// transparent, half transparent and opaque.
Picture with_alpha(int colours, int width = 96, int height = 96) {
  const Picture base = photograph(width, height, colours);
  Picture picture{width, height, colours + 1, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.samples.insert(picture.samples.end(), base.pixel(x, y), base.pixel(x, y) + colours);
      picture.samples.push_back(x < width / 3 ? 0 : x < 2 * width / 3 ? 128 : 255);
    }
  }
  return picture;
}

// How it looks on a white page.
Picture on_white(const Picture& picture) {
  const int colours = picture.channels - 1;
  Picture flat{picture.width, picture.height, colours, {}};
  for (std::size_t i = 0; i < picture.samples.size(); i += std::size_t(picture.channels)) {
    const double alpha = picture.samples[i + std::size_t(colours)] / 255.0;
    for (int c = 0; c < colours; ++c) {
      flat.samples.push_back(std::uint8_t(
          std::lround(picture.samples[i + std::size_t(c)] * alpha + 255 * (1 - alpha))));
    }
  }
  return flat;
}

TEST(Png, ColoursAndGrey) {
  for (const int channels : {1, 3}) {
    for (const int bits : {8, 16}) {
      for (const bool interlaced : {false, true}) {
        const Picture picture = photograph(120, 90, channels);
        const CodecResult result = press(make_png(picture, {bits, interlaced, ""}));
        const JpegFacts facts = read_jpeg(result.bytes);
        EXPECT_EQ(result.format, ImageFormat::kJpeg);
        EXPECT_FALSE(result.kept_source);
        EXPECT_EQ(result.width, 120U);
        EXPECT_EQ(result.height, 90U);
        EXPECT_EQ(facts.components, channels);
        EXPECT_GT(psnr(facts.picture, picture), 27);
      }
    }
  }
}

TEST(Png, TransparencyIsBlendedWithWhite) {
  for (const int colours : {1, 3}) {
    for (const int bits : {8, 16}) {
      for (const bool interlaced : {false, true}) {
        const Picture picture = with_alpha(colours);
        const CodecResult result = press(make_png(picture, {bits, interlaced, ""}));
        const JpegFacts facts = read_jpeg(result.bytes);
        ASSERT_EQ(result.format, ImageFormat::kJpeg);
        EXPECT_EQ(facts.components, colours);
        EXPECT_GT(psnr(facts.picture, on_white(picture)), 26);
        EXPECT_GE(int(facts.picture.pixel(4, 40)[0]), 250);
      }
    }
  }
}

TEST(Png, TransparentPalettesAreBlendedWithWhite) {
  const CodecResult clear = press(make_palette_png(120, {10, 20, 30}, 0));
  const JpegFacts white = read_jpeg(clear.bytes);
  EXPECT_EQ(int(white.picture.pixel(60, 60)[1]), 255);
  const CodecResult half = press(make_palette_png(120, {100, 20, 30}, 128));
  const JpegFacts pink = read_jpeg(half.bytes);
  EXPECT_NEAR(pink.picture.pixel(60, 60)[0], 177, 6);
  EXPECT_NEAR(pink.picture.pixel(60, 60)[1], 137, 6);
}

TEST(Png, ColoursThatThePaletteLacksAreBlack) {
  const JpegFacts black = read_jpeg(press(make_palette_png(120, {250, 20, 30}, 0, 1)).bytes);
  EXPECT_LE(int(black.picture.pixel(60, 60)[0]), 2);
  EXPECT_LE(int(black.picture.pixel(60, 60)[1]), 2);
}

TEST(Png, ColourProfilesAndOrientationAreKept) {
  // libpng checks profiles that it writes, so this one needs a valid header.
  std::string profile(512, '\0');
  profile[2] = 2;
  profile[8] = 2;
  profile.replace(12, 12, "mntrRGB XYZ ");
  profile.replace(36, 4, "acsp");
  profile.replace(68, 12, std::string("\0\0\xF6\xD6\0\1\0\0\0\0\xD3\x2D", 12));
  for (std::size_t i = 132; i < profile.size(); ++i) profile[i] = char(lattice(int(i), 0, 1) * 127);
  Bytes source = make_png(photograph(120, 90), {8, false, profile});
  source = with_chunk(source, "eXIf", exif_block(6));
  source = with_chunk(source, "tEXt", std::string("Comment\0SecretCamera", 20));
  const CodecResult result = press(source);
  const JpegFacts facts = read_jpeg(result.bytes);
  EXPECT_EQ(facts.icc, Bytes(profile.begin(), profile.end()));
  EXPECT_EQ(read_orientation(view(facts.exif)), 6);
  EXPECT_EQ(facts.app_segments, 2);
  EXPECT_FALSE(contains(result.bytes, "SecretCamera"));
}

TEST(Png, ASmallSourceIsKeptWithoutItsMetadata) {
  const Bytes bare = make_png(plain(24, 24, {200, 30, 40, 255}));
  Bytes source = with_chunk(bare, "tEXt", std::string("Comment\0SecretCamera", 20));
  source = with_chunk(source, "tIME", std::string("\7\xE8\1\1\1\1\1", 7));
  source = with_chunk(source, "iTXt", "GPS");
  CodecResult result = press(source);
  EXPECT_TRUE(result.kept_source);
  EXPECT_EQ(result.format, ImageFormat::kPng);
  EXPECT_EQ(result.bytes, bare);

  result = press(with_chunk(bare, "eXIf", exif_block(6)));
  EXPECT_TRUE(result.kept_source);
  const PngChunks chunks = parse_png_chunks(view(result.bytes));
  EXPECT_EQ(read_orientation(chunks.exif), 6);
  EXPECT_FALSE(contains(result.bytes, "GPS"));
}

TEST(Png, BytesAfterTheImageAreDropped) {
  const Bytes bare = make_png(plain(24, 24, {200, 30, 40}));
  Bytes source = bare;
  source.insert(source.end(), 300, 'x');
  EXPECT_EQ(press(source).bytes, bare);
}

TEST(Png, AKeptAnimationBecomesItsDefaultImage) {
  const Bytes bare = make_png(plain(24, 24, {200, 30, 40}));
  const Bytes animated = with_chunk(bare, "acTL", std::string("\0\0\0\2\0\0\0\0", 8));
  EXPECT_EQ(press(animated).bytes, bare);
}

}  // namespace
}  // namespace imgpress::press
