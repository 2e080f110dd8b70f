#include <gtest/gtest.h>

#include "support/images/image_fixtures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

constexpr Effort kEfforts[] = {Effort::kFast, Effort::kBalanced, Effort::kSmall};

const Picture& photo() {
  static const Picture picture = photograph(480, 352);
  return picture;
}

class SourceQualities : public testing::TestWithParam<int> {};

TEST_P(SourceQualities, MoreEffortMakesSmallerFilesThatLookAsGood) {
  JpegForm form;
  form.quality = GetParam();
  const Bytes source = make_jpeg(photo(), form);
  const Bytes reference = decode_and_encode(source, 50);
  const Picture decoded = read_jpeg(reference).picture;
  std::size_t last = source.size();
  // There is little to gain without a loss that is seen.
  const bool is_coarse = GetParam() < 70;
  for (const Effort effort : kEfforts) {
    const CodecResult result = press(source, effort);
    const JpegFacts facts = read_jpeg(result.bytes);
    EXPECT_LT(result.bytes.size(), last) << kEffortNames[static_cast<int>(effort)];
    if (effort != Effort::kSmall || is_coarse) {
      EXPECT_GT(psnr(facts.picture, photo()), psnr(decoded, photo()) - 0.15)
          << kEffortNames[static_cast<int>(effort)];
    }
    EXPECT_GT(psnr_from_afar(facts.picture, photo()), psnr_from_afar(decoded, photo()))
        << kEffortNames[static_cast<int>(effort)];
    EXPECT_EQ(facts.progressive, effort == Effort::kSmall);
    EXPECT_EQ(facts.warnings, 0);
    last = result.bytes.size();
  }
  EXPECT_LT(last, reference.size() * (is_coarse ? 99 : 97) / 100);
}

TEST_P(SourceQualities, TheSecondTimeNothingChanges) {
  JpegForm form;
  form.quality = GetParam();
  const Bytes source = make_jpeg(photo(), form);
  for (const int quality : {10, 25, 50, 75, 90}) {
    const Bytes once = press(source, Effort::kSmall, quality).bytes;
    EXPECT_EQ(press(once, Effort::kSmall, quality).bytes, once) << quality;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SourceQualities,
                         testing::Values(56, 60, 66, 70, 71, 72, 73, 74, 75, 85, 95));

class Qualities : public testing::TestWithParam<int> {};

// The quality of effort "small" has tables of its own, which must hold what its number promises.
TEST_P(Qualities, SmallLooksAtLeastAsGoodAsLibjpegWithTheSameNumber) {
  JpegForm form;
  form.quality = 100;
  const Picture picture = photograph(480, 352, 3, GetParam());
  const Bytes source = make_jpeg(picture, form);
  const Bytes reference = decode_and_encode(source, GetParam());
  const CodecResult result = press(source, Effort::kSmall, GetParam());
  // At low qualities it looks so much better that this drawing takes more bytes; photographs do
  // not.
  if (GetParam() > 35) {
    EXPECT_LT(result.bytes.size(), reference.size());
  }
  // Photographs are hardly ever below. This drawing lives by the middle frequencies, which are the
  // one thing that libjpeg's tables for a high quality keep better.
  const double allowed = GetParam() > 50 ? 0.7 : 0;
  EXPECT_GE(psnr_from_afar(read_jpeg(result.bytes).picture, picture),
            psnr_from_afar(read_jpeg(reference).picture, picture) - allowed);
}

INSTANTIATE_TEST_SUITE_P(All, Qualities, testing::Values(10, 15, 25, 35, 50, 65, 75, 85, 90, 95));

TEST(Effort, HigherQualityOfSmallMakesLargerFiles) {
  JpegForm form;
  form.quality = 100;
  const Bytes source = make_jpeg(photo(), form);
  std::size_t last = 0;
  for (const int quality :
       {1, 5, 10, 20, 25, 30, 40, 49, 51, 60, 70, 75, 80, 85, 90, 95, 98, 100}) {
    const std::size_t bytes = press(source, Effort::kSmall, quality).bytes.size();
    EXPECT_GT(bytes, last) << quality;
    last = bytes;
  }
}

TEST(Effort, FastHuffmanCodesAreNearlyOptimal) {
  // Large enough for its Huffman codes to be chosen from a sample.
  const Bytes source = make_jpeg(photograph(640, 640));
  const CodecResult fast = press(source, Effort::kFast);
  const CodecResult balanced = press(source, Effort::kBalanced);
  EXPECT_GT(fast.bytes.size(), balanced.bytes.size());
  EXPECT_LT(fast.bytes.size(), balanced.bytes.size() * 102 / 100);
}

TEST(Effort, FastHasCodesForSymbolsThatItsSampleLacks) {
  // Plain, except for a row of MCUs full of noise, which is not among the sampled ones.
  Picture picture = plain(512, 512, {128, 128, 128});
  for (int y = 176; y < 192; ++y) {
    for (int i = 0; i < 512 * 3; ++i)
      picture.row(y)[i] = std::uint8_t((i * 7919 + y * 104729) >> 3);
  }
  JpegForm form;
  form.quality = 95;
  const Bytes source = make_jpeg(picture, form);
  const CodecResult fast = press(source, Effort::kFast);
  EXPECT_EQ(read_jpeg(fast.bytes).warnings, 0);
  EXPECT_GT(psnr(read_jpeg(fast.bytes).picture, picture), 25);
}

TEST(Effort, AppliesToEveryFormatAndColourSpace) {
  JpegForm grey;
  grey.luma_across = grey.luma_down = 1;
  const Picture picture = photograph(160, 120);
  const std::vector<Bytes> sources = {
      make_jpeg(photograph(160, 120, 1), grey), make_jpeg(photograph(160, 120, 4), grey),
      make_jpeg(picture, grey), make_png(picture), make_webp(picture, true)};
  for (const Bytes& source : sources) {
    for (const Effort effort : kEfforts) {
      const CodecResult result = press(source, effort);
      ASSERT_EQ(result.format, ImageFormat::kJpeg);
      const JpegFacts facts = read_jpeg(result.bytes);
      EXPECT_EQ(facts.progressive, effort == Effort::kSmall);
      EXPECT_EQ(facts.warnings, 0);
      EXPECT_EQ(facts.picture.width, 160);
    }
  }
}

TEST(Effort, ACoarserSourceIsTranscodedLosslessly) {
  JpegForm form;
  form.quality = 30;
  const Bytes source = make_jpeg(photo(), form);
  for (const Effort effort : kEfforts) {
    EXPECT_EQ(psnr(read_jpeg(press(source, effort).bytes).picture, read_jpeg(source).picture), 99);
  }
}

TEST(Effort, SizesThatAreNoMultipleOfABlock) {
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{1, 1}, {17, 8}, {33, 49}, {250, 3}, {9, 700}}) {
    JpegForm form;
    form.quality = 95;
    const Bytes source = make_jpeg(photograph(width, height), form);
    for (const Effort effort : kEfforts) {
      const JpegFacts facts = read_jpeg(press(source, effort).bytes);
      EXPECT_EQ(facts.picture.height, height);
      EXPECT_EQ(facts.warnings, 0);
    }
  }
}

}  // namespace
}  // namespace imgpress::press
