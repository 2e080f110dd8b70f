#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/images/image_fixtures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

// Decoded samples of one plane: 0 luma, 1 and 2 chroma.
std::vector<double> plane(const Bytes& jpeg, int which) {
  const Picture picture = read_jpeg(jpeg).picture;
  std::vector<double> samples;
  for (std::size_t i = 0; i < picture.samples.size(); i += 3) {
    const std::uint8_t* p = picture.samples.data() + i;
    const double luma = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    samples.push_back(which == 0 ? luma : which == 1 ? p[2] - luma : p[0] - luma);
  }
  return samples;
}

double mean_squared_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum / double(a.size());
}

class FineChroma : public testing::TestWithParam<std::tuple<int, int, bool, int>> {
 protected:
  JpegForm form() const {
    JpegForm form;
    std::tie(form.luma_across, form.luma_down, form.progressive, form.quality) = GetParam();
    return form;
  }
};

TEST_P(FineChroma, IsAsGoodAsDecodedAndEncoded) {
  const Picture picture = photograph(333, 251);
  const Bytes source = make_jpeg(picture, form());
  const Bytes reference = decode_and_encode(source, 50);
  const CodecResult result = press(source);
  const JpegFacts facts = read_jpeg(result.bytes);
  EXPECT_EQ(facts.sampling, (std::vector<int>{2, 2, 1, 1, 1, 1}));
  EXPECT_EQ(facts.tables, read_jpeg(reference).tables);
  EXPECT_LT(result.bytes.size(), reference.size() * 102 / 100);
  for (const int which : {1, 2}) {
    EXPECT_LT(mean_squared_difference(plane(result.bytes, which), plane(source, which)),
              mean_squared_difference(plane(reference, which), plane(source, which)) * 1.1);
  }
}

TEST_P(FineChroma, LumaIsThatOfA420Source) {
  const Picture grey = photograph(333, 251, 1);
  Picture colours = plain(333, 251, {0, 0, 0});  // RGB, but all greys: no chroma
  for (std::size_t i = 0; i < colours.samples.size(); ++i) colours.samples[i] = grey.samples[i / 3];
  JpegForm usual = form();
  usual.luma_across = usual.luma_down = 2;
  const CodecResult result = press(make_jpeg(colours, form()));
  EXPECT_EQ(plane(result.bytes, 0), plane(press(make_jpeg(colours, usual)).bytes, 0));
}

TEST_P(FineChroma, WorksWithAnySizeAndEffort) {
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{
           {1, 1}, {8, 8}, {9, 16}, {16, 9}, {17, 17}, {24, 40}, {100, 7}, {7, 100}}) {
    const Picture picture = photograph(width, height);
    const Bytes source = make_jpeg(picture, form());
    for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
      const CodecResult result = press(source, effort);
      const JpegFacts facts = read_jpeg(result.bytes);
      EXPECT_LE(result.bytes.size(), source.size());
      EXPECT_EQ(facts.picture.width, width);
      EXPECT_EQ(facts.warnings, 0);
      EXPECT_GT(psnr(facts.picture, picture), 22) << width << " x " << height;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FineChroma,
                         testing::Combine(testing::Values(1, 2), testing::Values(1),
                                          testing::Bool(), testing::Values(75, 92)));
INSTANTIATE_TEST_SUITE_P(Upright, FineChroma,
                         testing::Combine(testing::Values(1), testing::Values(2), testing::Bool(),
                                          testing::Values(75, 92)));

TEST(FineChromaAlone, CoarselyQuantisedChromaIsNotSubsampled) {
  JpegForm form;
  form.quality = 20;
  form.luma_across = form.luma_down = 1;
  const Bytes source = make_jpeg(photograph(160, 120), form);
  const CodecResult result = press(source);
  EXPECT_EQ(read_jpeg(result.bytes).sampling, (std::vector<int>(6, 1)));
  EXPECT_EQ(psnr(read_jpeg(result.bytes).picture, read_jpeg(source).picture), 99);
}

}  // namespace
}  // namespace imgpress::press
