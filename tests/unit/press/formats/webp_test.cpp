#include <gtest/gtest.h>

#include "support/images/image_fixtures.hpp"
#include "press/codec/exif_orientation.hpp"
#include "press/codec/pixel_image.hpp"
#include "press/formats/webp_chunks.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

constexpr int kAnimationFlag = 0x02;
constexpr int kXmpFlag = 0x04;
constexpr int kExifFlag = 0x08;
constexpr int kIccFlag = 0x20;

Bytes bytes_of(const std::string& text) {
  return Bytes(text.begin(), text.end());
}

TEST(Webp, LossyAndLossless) {
  const Picture picture = photograph(200, 150);
  for (const bool lossless : {false, true}) {
    const CodecResult result = press(make_webp(picture, lossless));
    ASSERT_EQ(result.format, ImageFormat::kJpeg);
    EXPECT_EQ(result.width, 200U);
    EXPECT_EQ(result.height, 150U);
    EXPECT_GT(psnr(read_jpeg(result.bytes).picture, picture), 27);
  }
}

// As libwebp decodes it, on white.
Picture shown(const Bytes& webp, int width, int height) {
  Bytes pixels(std::size_t(width) * height * 4);
  EXPECT_NE(WebPDecodeRGBAInto(webp.data(), webp.size(), pixels.data(), pixels.size(), width * 4),
            nullptr);
  Picture picture{width, height, 3, Bytes(std::size_t(width) * height * 3)};
  blend_on_white(pixels.data(), 3, std::size_t(width) * height, picture.samples.data());
  return picture;
}

TEST(Webp, LossyOnesAreAsLibwebpShowsThem) {
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{200, 150}, {203, 151}, {81, 333}}) {
    for (const int channels : {3, 4}) {
      Picture picture = photograph(width, height, channels);
      for (int i = 0; channels == 4 && i < width * height; ++i) {  // fades towards the right
        picture.samples[std::size_t(i) * 4 + 3] = std::uint8_t(255 - i % width * 255 / width);
      }
      const Bytes source = make_webp(picture, false);
      const CodecResult result = press(source);
      ASSERT_EQ(result.format, ImageFormat::kJpeg);
      const Picture ours = read_jpeg(result.bytes).picture;
      EXPECT_GT(psnr(ours, shown(source, width, height)), 28);
      EXPECT_GT(psnr_from_afar(ours, shown(source, width, height)), 38) << channels;
    }
  }
}

TEST(Webp, TransparencyIsBlendedWithWhite) {
  const Picture base = photograph(96, 96);
  Picture picture{96, 96, 4, {}};
  for (int i = 0; i < 96 * 96; ++i) {
    picture.samples.insert(picture.samples.end(), base.samples.begin() + i * 3,
                           base.samples.begin() + i * 3 + 3);
    picture.samples.push_back(i % 96 < 48 ? 0 : 255);
  }
  for (const bool lossless : {false, true}) {
    const CodecResult result = press(make_webp(picture, lossless), 25);
    ASSERT_EQ(result.format, ImageFormat::kJpeg);
    const JpegFacts facts = read_jpeg(result.bytes);
    EXPECT_GE(int(facts.picture.pixel(8, 50)[0]), 250);
    EXPECT_NEAR(luma_of(facts.picture, 50 * 96 + 80), luma_of(base, 50 * 96 + 80), 30);
  }
}

TEST(Webp, ProfileAndOrientationAreKept) {
  const Bytes profile(300, 'c');
  const Bytes source = webp_container(
      kIccFlag | kExifFlag | kXmpFlag, 200, 150,
      {riff_chunk("ICCP", profile), webp_picture_chunks(make_webp(photograph(200, 150), true)),
       riff_chunk("EXIF", bytes_of(exif_block(8))), riff_chunk("XMP ", bytes_of("GPS xmpmeta"))});
  const CodecResult result = press(source);
  ASSERT_EQ(result.format, ImageFormat::kJpeg);
  const JpegFacts facts = read_jpeg(result.bytes);
  EXPECT_EQ(facts.icc, profile);
  EXPECT_EQ(read_orientation(view(facts.exif)), 8);
  EXPECT_FALSE(contains(result.bytes, "GPS"));
}

TEST(Webp, ASmallSourceIsKeptWithoutItsMetadata) {
  const Bytes picture = webp_picture_chunks(make_webp(plain(64, 64, {200, 30, 40}), true));
  const Bytes source =
      webp_container(kExifFlag | kXmpFlag, 64, 64,
                     {picture, riff_chunk("EXIF", bytes_of(exif_payload(6))),
                      riff_chunk("XMP ", bytes_of("GPS xmpmeta")), riff_chunk("JUNK", Bytes(40))});
  const CodecResult result = press(source);
  EXPECT_TRUE(result.kept_source);
  EXPECT_EQ(result.format, ImageFormat::kWebp);
  EXPECT_FALSE(contains(result.bytes, "GPS"));
  EXPECT_FALSE(contains(result.bytes, "JUNK"));
  int width = 0;
  int height = 0;
  EXPECT_EQ(WebPGetInfo(result.bytes.data(), result.bytes.size(), &width, &height), 1);
  EXPECT_EQ(width, 64);
  const CodecResult again = press(result.bytes);  // the orientation is still there
  EXPECT_EQ(again.bytes, result.bytes);
  EXPECT_TRUE(contains(result.bytes, "EXIF"));
}

TEST(Webp, TheFirstFrameOfAnAnimationIsTakenOnItsCanvas) {
  const Picture first = photograph(64, 64, 3, 1);
  const Picture second = photograph(64, 64, 3, 2);
  const Bytes source = webp_container(
      kAnimationFlag, 128, 96,
      {riff_chunk("ANIM", Bytes(6)), animation_frame(make_webp(first, true), 32, 16, 64, 64),
       animation_frame(make_webp(second, true), 0, 0, 64, 64)});
  const CodecResult result = press(source);
  ASSERT_EQ(result.format, ImageFormat::kJpeg);
  EXPECT_EQ(result.width, 128U);
  EXPECT_EQ(result.height, 96U);
  EXPECT_NE(result.warning.find("first frame"), std::string::npos);
  Picture expected = plain(128, 96, {255, 255, 255});
  for (int y = 0; y < 64; ++y) {
    std::copy_n(first.samples.data() + y * 192, 192, expected.row(16 + y) + 96);
  }
  EXPECT_GT(psnr(read_jpeg(result.bytes).picture, expected), 26);
}

TEST(Webp, MalformedChunksAreReturnedUnchanged) {
  Bytes source = make_webp(photograph(16, 16), true);
  source[16] = 0xFF;  // the first chunk claims more than there is
  source[17] = 0xFF;
  EXPECT_EQ(strip_webp(view(source), 1), source);
  for (std::size_t size = 0; size < 40; ++size) {
    const Bytes cut(source.begin(), source.begin() + std::ptrdiff_t(size));
    EXPECT_EQ(strip_webp(view(cut), 6).size(), size);
  }
}

}  // namespace
}  // namespace imgpress::press
