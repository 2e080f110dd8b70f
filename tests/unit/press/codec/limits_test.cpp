#include <gtest/gtest.h>

#include "support/images/image_fixtures.hpp"
#include "core/rules/fault.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

struct Refusal {
  Fault fault = Fault::kNone;
  std::string message;
};

Refusal refusal_of(const Bytes& source, std::uint64_t max_pixels = 50'000'000) {
  try {
    press(source, 50, max_pixels);
  } catch (const FaultError& error) {
    return {error.fault(), error.what()};
  }
  return {};
}

Bytes cut(const Bytes& bytes, double part) {
  return Bytes(bytes.begin(), bytes.begin() + std::ptrdiff_t(double(bytes.size()) * part));
}

std::vector<Bytes> one_of_each(int width, int height) {
  const Picture picture = photograph(width, height);
  return {make_jpeg(picture), make_png(picture), make_webp(picture, false),
          make_webp(picture, true), make_gif(width, height, Bytes(std::size_t(width) * height, 1))};
}

TEST(Limits, PixelsAreCountedInEveryFormat) {
  for (const Bytes& source : one_of_each(40, 30)) {
    EXPECT_EQ(refusal_of(source, 1200).fault, Fault::kNone);
    const Refusal refused = refusal_of(source, 1199);
    EXPECT_EQ(refused.fault, Fault::kTooManyPixels);
    EXPECT_NE(refused.message.find("40 x 30"), std::string::npos) << refused.message;
  }
}

TEST(Limits, HugeHeadersAreRefusedBeforeDecoding) {
  Bytes jpeg = make_jpeg(photograph(16, 16));
  const Bytes frame = {0xFF, 0xC0};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  for (int i = 5; i < 9; ++i) at[i] = 0xFD;
  EXPECT_EQ(refusal_of(jpeg).fault, Fault::kTooManyPixels);

  Bytes png = make_png(photograph(16, 16));
  std::string header(13, '\0');
  header[1] = header[5] = 1;  // 65536 x 65536
  header[8] = 8, header[9] = 2;
  const Bytes chunk = png_chunk("IHDR", header);
  std::copy(chunk.begin(), chunk.end(), png.begin() + 8);
  EXPECT_EQ(refusal_of(png).fault, Fault::kTooManyPixels);

  GifForm screen;
  screen.screen_width = screen.screen_height = 65000;
  EXPECT_EQ(refusal_of(make_gif(2, 2, Bytes(4), screen)).fault, Fault::kTooManyPixels);

  const Bytes small = make_webp(photograph(16, 16), true);
  const Bytes webp = webp_container(
      2, 16000, 16000, {riff_chunk("ANIM", Bytes(6)), animation_frame(small, 0, 0, 16, 16)});
  EXPECT_EQ(refusal_of(webp).fault, Fault::kTooManyPixels);
}

TEST(Limits, TooManyScansAreRefused) {
  JpegForm form;
  form.scan_per_coefficient = true;
  for (const int across : {2, 1}) {
    form.luma_across = form.luma_down = across;
    const Refusal refused = refusal_of(make_jpeg(photograph(64, 64), form));
    EXPECT_EQ(refused.fault, Fault::kOutOfResources);
    EXPECT_NE(refused.message.find("scans"), std::string::npos) << refused.message;
  }
}

TEST(Limits, ImagesTooLargeForAJpegAreUnsupported) {
  const Refusal refused = refusal_of(make_png(plain(65501, 1, {10, 200, 30})));
  EXPECT_EQ(refused.fault, Fault::kUnsupportedImage);
  EXPECT_NE(refused.message.find("65501"), std::string::npos) << refused.message;
}

TEST(Damage, TruncatedFilesAreDamaged) {
  for (const Bytes& source : one_of_each(160, 120)) {
    for (const double part : {0.3, 0.6, 0.9}) {
      const Refusal refused = refusal_of(cut(source, part));
      EXPECT_EQ(refused.fault, Fault::kDamagedImage) << part << " " << int(source[0]);
      EXPECT_FALSE(refused.message.empty());
    }
  }
}

TEST(Damage, TruncatedProgressiveAndMultiScanFilesAreDamaged) {
  JpegForm form;
  form.progressive = true;
  for (const int across : {2, 1}) {
    form.luma_across = form.luma_down = across;
    const Bytes source = make_jpeg(photograph(160, 120), form);
    for (const double part : {0.3, 0.5, 0.7, 0.9}) {
      EXPECT_EQ(refusal_of(cut(source, part)).fault, Fault::kDamagedImage) << part;
    }
    // Truncated exactly between two scans.
    const Bytes scan = {0xFF, 0xDA};
    const auto last = std::find_end(source.begin(), source.end(), scan.begin(), scan.end());
    EXPECT_EQ(refusal_of(Bytes(source.begin(), last)).fault, Fault::kDamagedImage);
  }
}

TEST(Damage, AMissingEndMarkerIsHarmless) {
  for (const bool progressive : {false, true}) {
    JpegForm form;
    form.progressive = progressive;
    Bytes source = make_jpeg(photograph(160, 120), form);
    const CodecResult whole = press(source);
    source.resize(source.size() - 2);
    const CodecResult result = press(source);
    EXPECT_EQ(result.bytes, whole.bytes);
    EXPECT_NE(result.warning, "");
  }
}

TEST(Damage, JunkOutsideTheImageIsHarmless) {
  const Bytes source = make_jpeg(photograph(160, 120));
  Bytes junk_behind = source;
  junk_behind.insert(junk_behind.end(), 5000, 0x42);
  EXPECT_EQ(press(junk_behind).bytes, press(source).bytes);

  Bytes junk_within = source;  // between two segments, as some cameras write them
  const Bytes table = {0xFF, 0xDB};
  const auto at = std::search(junk_within.begin(), junk_within.end(), table.begin(), table.end());
  junk_within.insert(at, {0x00, 0x17, 0x00, 0xFF, 0x00});
  const CodecResult result = press(junk_within);
  EXPECT_EQ(result.bytes, press(source).bytes);
  EXPECT_NE(result.warning.find("extraneous"), std::string::npos) << result.warning;
}

TEST(Damage, CorruptDataIsDamage) {
  int refused = 0;
  const Bytes source = make_jpeg(photograph(160, 120));
  for (std::size_t at = source.size() / 4; at < source.size() - 40; at += 97) {
    Bytes bytes = source;
    for (std::size_t i = 0; i < 32; ++i) bytes[at + i] = std::uint8_t(i % 2 ? 0xF7 : 0xFB);
    refused += refusal_of(bytes).fault == Fault::kDamagedImage ? 1 : 0;
  }
  EXPECT_GT(refused, 0);

  const Bytes png = make_png(photograph(160, 120));
  Bytes broken = png;
  broken[broken.size() / 2] ^= 0x10;
  EXPECT_EQ(refusal_of(broken).fault, Fault::kDamagedImage);
}

TEST(Damage, OtherFilesAreNotImages) {
  EXPECT_EQ(refusal_of({}).fault, Fault::kNotAnImage);
  const std::string page = "<!DOCTYPE html><html><body>404</body></html>";
  EXPECT_EQ(refusal_of(Bytes(page.begin(), page.end())).fault, Fault::kNotAnImage);
  for (const Bytes& signature :
       {Bytes{0xFF, 0xD8}, Bytes{0xFF, 0xD8, 0xFF}, Bytes{0xFF, 0xD8, 0xFF, 0xD9},
        Bytes{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'}, Bytes{'G', 'I', 'F', '8', '9', 'a'},
        Bytes{'R', 'I', 'F', 'F', 4, 0, 0, 0, 'W', 'E', 'B', 'P'}}) {
    EXPECT_EQ(refusal_of(signature).fault, Fault::kDamagedImage) << signature.size();
  }
}

// Some versions of libwebp say that memory has run out.
TEST(Damage, OfAnAlphaChannelInWebp) {
  Bytes source = make_webp(Picture{16, 16, 4, std::vector<std::uint8_t>(16 * 16 * 4, 0x7F)}, false);
  const std::string name = "ALPH";
  const auto chunk = std::search(source.begin(), source.end(), name.begin(), name.end());
  ASSERT_NE(chunk, source.end());
  chunk[8] = 0xFF;  // the first byte of its contents: compression, filter, reserved bits
  EXPECT_EQ(refusal_of(source).fault, Fault::kDamagedImage);
}

TEST(Damage, LosslessAndTwelveBitJpegsAreUnsupported) {
  const Bytes source = make_jpeg(photograph(32, 32));
  const Bytes frame = {0xFF, 0xC0};
  const auto at = std::search(source.begin(), source.end(), frame.begin(), frame.end());
  Bytes lossless = source;
  lossless[std::size_t(at - source.begin()) + 1] = 0xC3;
  EXPECT_EQ(refusal_of(lossless).fault, Fault::kUnsupportedImage);
  Bytes twelve_bits = source;
  twelve_bits[std::size_t(at - source.begin()) + 4] = 12;
  EXPECT_EQ(refusal_of(twelve_bits).fault, Fault::kUnsupportedImage);
}

TEST(Limits, DamageBeyondTheSizeLimitIsFound) {
  JpegForm form;  // coarse RGB: re-encoded from pixels, which makes it larger than the source
  form.stored = JCS_RGB;
  form.luma_across = form.luma_down = 1;
  form.quality = 30;
  const Bytes source = make_jpeg(photograph(320, 240), form);
  EXPECT_TRUE(press(source, Effort::kFast, 100).kept_source);
  EXPECT_THROW(press(cut(source, 0.97), Effort::kFast, 100), FaultError);
}

}  // namespace
}  // namespace imgpress::press
