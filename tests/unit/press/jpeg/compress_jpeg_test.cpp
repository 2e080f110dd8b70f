#include <gtest/gtest.h>

#include <numeric>
#include <tuple>

#include "core/rules/fault.hpp"
#include "support/images/image_fixtures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

const Picture& photo() {
  static const Picture picture = photograph(480, 352);
  return picture;
}

const std::vector<int> k420 = {2, 2, 1, 1, 1, 1};

// Every subsampling and coding, at quality 90.
class JpegForms : public testing::TestWithParam<std::tuple<int, int, bool, bool>> {};

TEST_P(JpegForms, AreCompressedAsWellAsByDecodingAndEncoding) {
  JpegForm form;
  form.quality = 90;
  std::tie(form.luma_across, form.luma_down, form.progressive, form.arithmetic) = GetParam();
  const Bytes source = make_jpeg(photo(), form);
  const CodecResult result = press(source);
  const JpegFacts facts = read_jpeg(result.bytes);
  const Bytes reference = decode_and_encode(source, 50);

  EXPECT_EQ(result.format, ImageFormat::kJpeg);
  EXPECT_FALSE(result.kept_source);
  EXPECT_EQ(result.width, 480U);
  EXPECT_EQ(result.height, 352U);
  EXPECT_EQ(result.warning, "");
  EXPECT_EQ(facts.sampling, k420);
  EXPECT_FALSE(facts.progressive);
  EXPECT_EQ(facts.warnings, 0);
  EXPECT_GT(psnr(facts.picture, photo()), psnr(read_jpeg(reference).picture, photo()) - 0.1);
  EXPECT_LT(result.bytes.size(), reference.size() * 102 / 100);
}

INSTANTIATE_TEST_SUITE_P(
    All, JpegForms,
    testing::Values(std::make_tuple(2, 2, false, false), std::make_tuple(2, 2, true, false),
                    std::make_tuple(2, 2, false, true), std::make_tuple(1, 1, false, false),
                    std::make_tuple(1, 1, true, false), std::make_tuple(2, 1, false, false),
                    std::make_tuple(1, 2, false, false)));

TEST(Jpeg, GreyStaysGrey) {
  JpegForm form;
  form.luma_across = form.luma_down = 1;
  const Picture grey = photograph(200, 120, 1);
  const Bytes source = make_jpeg(grey, form);
  const JpegFacts facts = read_jpeg(press(source).bytes);
  EXPECT_EQ(facts.components, 1);
  EXPECT_GT(psnr(facts.picture, grey),
            psnr(read_jpeg(decode_and_encode(source, 50)).picture, grey) - 0.05);
}

TEST(Jpeg, SizesThatAreNoMultipleOfABlock) {
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{1, 1}, {7, 9}, {17, 8}, {33, 49}, {16, 16}, {250, 3}}) {
    const Picture picture = photograph(width, height);
    JpegForm form;
    form.quality = 95;
    const CodecResult result = press(make_jpeg(picture, form));
    const JpegFacts facts = read_jpeg(result.bytes);
    EXPECT_EQ(facts.picture.width, width);
    EXPECT_EQ(facts.picture.height, height);
    EXPECT_EQ(facts.warnings, 0);
    EXPECT_GT(psnr(facts.picture, picture), 24) << width << " x " << height;
  }
}

TEST(Jpeg, HuffmanCodesAreOptimal) {
  // libjpeg's optimiser must not find shorter codes.
  JpegForm coarse;
  coarse.quality = 50;
  for (const int channels : {1, 3}) {
    const Picture picture = photograph(333, 211, channels);
    if (channels == 1) coarse.luma_across = coarse.luma_down = 1;
    const Bytes plain_codes = make_jpeg(picture, coarse);
    JpegForm optimised = coarse;
    optimised.optimised = true;
    const Bytes best_codes = make_jpeg(picture, optimised);
    const CodecResult result = press(plain_codes);
    EXPECT_LT(result.bytes.size(), plain_codes.size());
    EXPECT_LE(result.bytes.size(), best_codes.size() + 4);
    EXPECT_EQ(psnr(read_jpeg(result.bytes).picture, read_jpeg(plain_codes).picture), 99);
    coarse = JpegForm();
    coarse.quality = 50;
  }
}

TEST(Jpeg, SourcesOfQuality75LoseNothingToRounding) {
  // From 75 to 50 all steps double, where plain rounding is at its worst.
  JpegForm form;
  form.quality = 75;
  const Picture picture = photograph(640, 480);
  const Bytes source = make_jpeg(picture, form);
  const Bytes reference = decode_and_encode(source, 50);
  const CodecResult result = press(source);
  EXPECT_LT(result.bytes.size(), reference.size() * 80 / 100);
  EXPECT_GE(psnr(read_jpeg(result.bytes).picture, picture),
            psnr(read_jpeg(reference).picture, picture));
}

TEST(Jpeg, NoSourceQualityIsWorseThanByDecodingAndEncoding) {
  const Picture picture = photograph(320, 320, 3, 9);
  for (const int quality : {55, 60, 65, 70, 75, 80, 85, 90, 95, 98, 100}) {
    JpegForm form;
    form.quality = quality;
    const Bytes source = make_jpeg(picture, form);
    const Bytes reference = decode_and_encode(source, 50);
    const CodecResult result = press(source);
    EXPECT_GT(psnr(read_jpeg(result.bytes).picture, picture),
              psnr(read_jpeg(reference).picture, picture) - 0.05)
        << quality;
    EXPECT_LE(result.bytes.size(), reference.size() * 103 / 100) << quality;
  }
}

TEST(Jpeg, ACoarserSourceIsNeverRequantisedFiner) {
  for (const int across : {2, 1}) {
    JpegForm form;
    form.quality = 30;
    form.luma_across = form.luma_down = across;
    const Bytes source = make_jpeg(photo(), form);
    const CodecResult result = press(source);
    EXPECT_EQ(read_jpeg(result.bytes).tables[0], read_jpeg(source).tables[0]);
    EXPECT_LE(result.bytes.size(), source.size());
  }
}

TEST(Jpeg, EachStepIsTheCoarserOfBoth) {
  JpegForm form;
  form.quality = 50;
  const std::vector<int> target = read_jpeg(make_jpeg(photo(), form)).tables[0];
  form.quality = 60;
  const Bytes source = make_jpeg(photo(), form);
  const std::vector<int> before = read_jpeg(source).tables[0];
  const std::vector<int> after = read_jpeg(press(source, 50).bytes).tables[0];
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i], std::max(before[i], target[i]));
  }
}

TEST(Jpeg, HigherQualityMakesLargerFiles) {
  const Bytes source = make_jpeg(photo());
  std::size_t last = 0;
  for (const int quality : {1, 10, 30, 50, 70}) {
    const CodecResult result = press(source, quality);
    EXPECT_GT(result.bytes.size(), last) << quality;
    last = result.bytes.size();
  }
  JpegForm form;
  form.quality = 70;
  EXPECT_EQ(read_jpeg(press(make_jpeg(photo(), {100}), 70).bytes).tables,
            read_jpeg(make_jpeg(photo(), form)).tables);
}

TEST(Jpeg, ASourceThatCannotBeMadeSmallerIsKept) {
  JpegForm form;
  form.quality = 20;
  form.arithmetic = true;  // smaller than any Huffman code of the same coefficients
  const Bytes source = make_jpeg(photo(), form);
  const CodecResult result = press(source);
  EXPECT_TRUE(result.kept_source);
  EXPECT_EQ(result.bytes, source);
  EXPECT_EQ(result.format, ImageFormat::kJpeg);
  EXPECT_EQ(result.width, 480U);
}

TEST(Jpeg, CompressingAgainChangesNothing) {
  const CodecResult once = press(make_jpeg(photo()));
  const CodecResult twice = press(once.bytes);
  EXPECT_EQ(psnr(read_jpeg(twice.bytes).picture, read_jpeg(once.bytes).picture), 99);
  EXPECT_LE(twice.bytes.size(), once.bytes.size());
}

TEST(Jpeg, AWhiteBackgroundStaysWhite) {
  Picture product = plain(256, 256, {255, 255, 255});
  const Picture thing = photograph(96, 96);
  for (int y = 0; y < 96; ++y)
    std::copy_n(thing.samples.data() + y * 288, 288, product.row(80 + y) + 240);
  for (const int quality : {60, 75, 80, 85, 90, 95, 100}) {
    for (const int across : {2, 1}) {
      JpegForm form;
      form.quality = quality;
      form.luma_across = form.luma_down = across;
      const Bytes source = make_jpeg(product, form);
      const Picture before = read_jpeg(source).picture;
      const Picture after = read_jpeg(press(source).bytes).picture;
      for (const auto& [x, y] : std::vector<std::pair<int, int>>{{4, 4}, {250, 20}, {30, 250}}) {
        ASSERT_EQ(int(before.pixel(x, y)[0]), 255);
        EXPECT_EQ(int(after.pixel(x, y)[0]), 255) << "quality " << quality;
        EXPECT_EQ(int(after.pixel(x, y)[2]), 255) << "quality " << quality;
      }
    }
  }
}

TEST(Jpeg, RgbBecomes420) {
  JpegForm form;
  form.stored = JCS_RGB;
  form.luma_across = form.luma_down = 1;
  form.quality = 92;
  const CodecResult result = press(make_jpeg(photo(), form));
  const JpegFacts facts = read_jpeg(result.bytes);
  EXPECT_EQ(facts.stored, JCS_YCbCr);
  EXPECT_EQ(facts.sampling, k420);
  EXPECT_GT(psnr(facts.picture, photo()), 28);
}

TEST(Jpeg, CmykAndYcckAreKept) {
  const Picture inks = photograph(240, 160, 4);
  for (const J_COLOR_SPACE stored : {JCS_CMYK, JCS_YCCK}) {
    JpegForm form;
    form.stored = stored;
    form.luma_across = form.luma_down = 1;
    form.quality = 92;
    const Bytes source = make_jpeg(inks, form);
    const CodecResult result = press(source);
    const JpegFacts facts = read_jpeg(result.bytes);
    EXPECT_EQ(facts.components, 4);
    EXPECT_EQ(facts.stored, stored);
    EXPECT_TRUE(facts.adobe);
    EXPECT_LT(result.bytes.size(), source.size() / 2);
    double sum = 0;
    for (std::size_t i = 0; i < inks.samples.size(); ++i) {
      sum += std::pow(double(inks.samples[i]) - facts.picture.samples[i], 2);
    }
    EXPECT_LT(std::sqrt(sum / double(inks.samples.size())), 12) << "stored as " << stored;
  }
}

TEST(Jpeg, NoAdobeSegmentIsAdded) {
  // Decoders invert CMYK images that have an Adobe segment, so none may be added.
  JpegForm form;
  form.stored = JCS_CMYK;
  form.luma_across = form.luma_down = 1;
  Bytes source = make_jpeg(photograph(64, 64, 4), form);
  const std::string name = "Adobe";
  const auto marker = std::search(source.begin(), source.end(), name.begin(), name.end());
  ASSERT_NE(marker, source.end());
  source.erase(marker - 4, marker + 12);
  ASSERT_FALSE(read_jpeg(source).adobe);
  EXPECT_FALSE(read_jpeg(press(source).bytes).adobe);
}

TEST(Jpeg, ManyInARowGiveTheSameOutput) {
  const Bytes source = make_jpeg(photograph(64, 64));
  const Bytes broken(source.begin(), source.begin() + std::ptrdiff_t(source.size() / 2));
  const CodecResult first = press(source);
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(press(source).bytes, first.bytes);
    ASSERT_ANY_THROW(press(broken));
  }
}

void expect_same_picture(const Bytes& result, const Bytes& source) {
  const JpegFacts after = read_jpeg(result);
  EXPECT_EQ(after.warnings, 0);
  const JpegFacts before = read_jpeg(source);
  EXPECT_EQ(after.picture.width, before.picture.width);
  EXPECT_EQ(after.picture.samples, before.picture.samples);
}

// At quality 100 no step of the source is replaced.
void expect_lossless(const Bytes& source) {
  for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
    const CodecResult result = press(source, effort, 100);
    EXPECT_FALSE(result.kept_source);
    expect_same_picture(result.bytes, source);
  }
}

TEST(UnusualFiles, ReducibleSamplingFactors) {
  JpegForm form;  // all components have the same resolution
  form.scan_per_component = true;
  form.luma_across = form.luma_down = form.chroma_factors = 2;
  JpegForm plain_form;
  plain_form.luma_across = plain_form.luma_down = 1;
  for (const int quality : {20, 85}) {  // 20: its chroma is not worth subsampling
    form.quality = plain_form.quality = quality;
    const Picture picture = photograph(75, 53);
    for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
      const CodecResult result = press(make_jpeg(picture, form), effort);
      EXPECT_EQ(read_jpeg(result.bytes).warnings, 0);
      EXPECT_EQ(result.bytes, press(make_jpeg(picture, plain_form), effort).bytes);
    }
  }
}

TEST(UnusualFiles, McusTooLargeForAnInterleavedScan) {
  JpegForm form;
  form.scan_per_component = true;
  form.luma_across = form.luma_down = 4;
  try {
    press(make_jpeg(photograph(75, 53), form));
    FAIL() << "eighteen blocks in a unit";
  } catch (const FaultError& error) {
    EXPECT_EQ(error.fault(), Fault::kUnsupportedImage);
  }
}

TEST(UnusualFiles, DuplicateComponentIdentifiers) {
  Bytes source = make_jpeg(photograph(75, 53));
  const Bytes frame = {0xFF, 0xC0};
  const auto at = std::search(source.begin(), source.end(), frame.begin(), frame.end());
  const std::size_t names = std::size_t(at - source.begin()) + 10;
  const Bytes scan = {0xFF, 0xDA};
  const auto scan_at = std::search(source.begin(), source.end(), scan.begin(), scan.end());
  const std::size_t scan_names = std::size_t(scan_at - source.begin()) + 5;
  for (std::size_t i = 0; i < 3; ++i) source[names + 3 * i] = source[scan_names + 2 * i] = 1;
  expect_lossless(source);
}

}  // namespace
}  // namespace imgpress::press
