// Truncated JPEG files, with the option to accept them.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/images/image_fixtures.hpp"
#include "core/rules/fault.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

CodecResult press_cut(const Bytes& source, bool accept = true) {
  CodecOptions options;
  options.max_pixels = 50'000'000;
  options.accept_truncated = accept;
  return compress(view(source), options);
}

bool is_refused(const Bytes& source, bool accept = true) {
  try {
    press_cut(source, accept);
  } catch (const FaultError& error) {
    EXPECT_EQ(error.fault(), Fault::kDamagedImage);
    EXPECT_STRNE(error.what(), "");
    return true;
  }
  return false;
}

const Bytes kStartOfScan = {0xFF, 0xDA};

Bytes cut(const Bytes& bytes, double part) {
  return Bytes(bytes.begin(), bytes.begin() + std::ptrdiff_t(double(bytes.size()) * part));
}

double psnr_of_top(const Bytes& result, const Picture& original, int rows) {
  Picture top = read_jpeg(result).picture;
  Picture expected = original;
  top.height = expected.height = rows;
  top.samples.resize(std::size_t(rows) * top.width * 3);
  expected.samples.resize(top.samples.size());
  return psnr(top, expected);
}

class TruncatedForms : public testing::TestWithParam<std::pair<int, J_COLOR_SPACE>> {
 protected:
  JpegForm form() const {
    JpegForm form;
    form.luma_across = form.luma_down = GetParam().first;
    form.stored = GetParam().second;
    return form;
  }
};

TEST_P(TruncatedForms, MostlyCompleteFilesSucceedWithAWarning) {
  const Picture picture = photograph(320, 640);
  const Bytes source = cut(make_jpeg(picture, form()), 0.93);
  EXPECT_TRUE(is_refused(source, false));
  const CodecResult result = press_cut(source);
  EXPECT_NE(result.warning.find("truncated"), std::string::npos) << result.warning;
  EXPECT_EQ(result.height, 640U);
  EXPECT_EQ(read_jpeg(result.bytes).warnings, 0);
  EXPECT_GT(psnr_of_top(result.bytes, picture, 512), 26);
}

TEST_P(TruncatedForms, LessCompleteFilesAreDamaged) {
  const Bytes source = make_jpeg(photograph(320, 640), form());
  for (const double part : {0.2, 0.4, 0.6}) EXPECT_TRUE(is_refused(cut(source, part))) << part;
}

TEST_P(TruncatedForms, AnEndMarkerWithinTheImageIsDamage) {
  Bytes source = cut(make_jpeg(photograph(320, 640), form()), 0.93);
  source.insert(source.end(), {0xFF, 0xD9});
  EXPECT_TRUE(is_refused(source));
}

// What only a progressive scan means, at the end of the scan's header, decoders ignore.
TEST_P(TruncatedForms, AScanThatSaysItIsARefinementIsStillAllThereIs) {
  Bytes source = cut(make_jpeg(photograph(320, 640), form()), 0.2);
  const Bytes all_coefficients = {0, 63, 0};
  const auto header =
      std::search(source.begin(), source.end(), kStartOfScan.begin(), kStartOfScan.end());
  const auto ending =
      std::search(header, source.end(), all_coefficients.begin(), all_coefficients.end());
  ASSERT_NE(ending, source.end());
  ending[2] = 0x11;
  EXPECT_TRUE(is_refused(source));
}

INSTANTIATE_TEST_SUITE_P(All, TruncatedForms,
                         testing::Values(std::make_pair(2, JCS_UNKNOWN),
                                         std::make_pair(1, JCS_UNKNOWN),
                                         std::make_pair(1, JCS_RGB)));

TEST(Truncated, ProgressiveFilesMayLackHighFrequenciesOnly) {
  JpegForm form;
  form.progressive = true;
  const Picture picture = photograph(320, 320);
  const Bytes source = make_jpeg(picture, form);
  EXPECT_TRUE(is_refused(cut(source, 0.1)));
  EXPECT_TRUE(is_refused(cut(source, 0.9), false));
  const CodecResult result = press_cut(cut(source, 0.9));
  EXPECT_NE(result.warning.find("details"), std::string::npos) << result.warning;
  EXPECT_GT(psnr_of_top(result.bytes, picture, 320), 24);
}

TEST(Truncated, EveryLengthSucceedsOrFailsWithAReason) {
  for (const bool progressive : {false, true}) {
    JpegForm form;
    form.progressive = progressive;
    const Bytes source = make_jpeg(photograph(64, 96), form);
    bool accepted = false;
    for (std::size_t length = 4; length < source.size(); length += 3) {
      const bool refused =
          is_refused(Bytes(source.begin(), source.begin() + std::ptrdiff_t(length)));
      // Longer parts than an accepted one are accepted, too.
      EXPECT_FALSE(accepted && refused) << length;
      accepted = !refused;
    }
    EXPECT_TRUE(accepted);
  }
}

TEST(Truncated, CompleteFilesAreUnaffected) {
  const Bytes source = make_jpeg(photograph(160, 120));
  EXPECT_EQ(press_cut(source).bytes, press(source).bytes);
  EXPECT_EQ(press_cut(source).warning, "");
}

TEST(Truncated, OtherDamageIsStillRefused) {
  const Bytes source = make_jpeg(photograph(160, 120));
  int refused = 0;
  for (std::size_t at = source.size() / 4; at < source.size() - 40; at += 97) {
    Bytes bytes = source;
    for (std::size_t i = 0; i < 32; ++i) bytes[at + i] = std::uint8_t(i % 2 ? 0xF7 : 0xFB);
    refused += is_refused(bytes) ? 1 : 0;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace imgpress::press
