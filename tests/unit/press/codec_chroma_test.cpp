#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "codec_fixtures.hpp"
#include "press/chroma_halver.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

using Block = std::array<std::int16_t, kBlockSize>;

QuantTable uniform(std::uint16_t step) {
  QuantTable table;
  table.fill(step);
  return table;
}

double cosine(int frequency, int sample) {
  const double length = std::sqrt(frequency == 0 ? 0.125 : 0.25);
  return length * std::cos((2 * sample + 1) * frequency * M_PI / 16);
}

// The sample at x, y of a block with steps of 1.
double sample_of(const std::int16_t* block, int x, int y) {
  double sum = 0;
  for (int v = 0; v < 8; ++v) {
    for (int u = 0; u < 8; ++u) sum += block[v * 8 + u] * cosine(u, x) * cosine(v, y);
  }
  return sum;
}

// A soft surface over any number of blocks, and its block at x, y, in steps of 1.
double surface(double x, double y) {
  return 60 * std::sin(x / 7) + 50 * std::cos(y / 9) + 2 * x - y;
}

Block block_at(int left, int top) {
  Block block;
  for (int v = 0; v < 8; ++v) {
    for (int u = 0; u < 8; ++u) {
      double sum = 0;
      for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
          sum += surface(left + x, top + y) * cosine(u, x) * cosine(v, y);
        }
      }
      block[std::size_t(v * 8 + u)] = std::int16_t(std::lround(sum));
    }
  }
  return block;
}

std::vector<std::int16_t> join(const Block& a, const Block& b) {
  std::vector<std::int16_t> both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

class Directions : public testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(Directions, TheHalvedSurfaceIsTheSurface) {
  const auto [across, down] = GetParam();
  const auto upper = join(block_at(0, 0), block_at(8, 0));
  const auto lower = join(block_at(0, 8), block_at(8, 8));
  Block result[2];
  ChromaHalver(uniform(1), across, down)
      .halve(upper.data(), down ? lower.data() : nullptr, across ? 2 : 1, result[0].data());
  const int step_x = across ? 2 : 1;
  const int step_y = down ? 2 : 1;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const double expected =
          surface(x * step_x + (across ? 0.5 : 0), y * step_y + (down ? 0.5 : 0));
      EXPECT_NEAR(sample_of(result[0].data(), x, y), expected, 4) << x << ", " << y;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Directions,
                         testing::Values(std::make_pair(true, true), std::make_pair(true, false),
                                         std::make_pair(false, true)));

TEST(ChromaHalver, KeepsAPlainColourExactly) {
  Block plain{};
  plain[0] = -37;
  const auto row = join(plain, plain);
  Block result;
  ChromaHalver(uniform(13), true, true).halve(row.data(), row.data(), 2, result.data());
  EXPECT_EQ(result[0], -37 * 13);
  for (std::size_t i = 1; i < kBlockSize; ++i) EXPECT_EQ(result[i], 0) << i;
}

TEST(ChromaHalver, MirrorsWhatIsMissingAtTheEdges) {
  const Block block = block_at(3, 5);
  Block mirrored_x = block;
  Block mirrored_y = block;
  Block mirrored_both = block;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const int x = i % 2 == 1 ? -1 : 1;
    const int y = i / 8 % 2 == 1 ? -1 : 1;
    mirrored_x[i] = std::int16_t(block[i] * x);
    mirrored_y[i] = std::int16_t(block[i] * y);
    mirrored_both[i] = std::int16_t(block[i] * x * y);
  }
  const ChromaHalver halver(uniform(1), true, true);
  Block expected;
  const auto upper = join(block, mirrored_x);
  const auto lower = join(mirrored_y, mirrored_both);
  halver.halve(upper.data(), lower.data(), 2, expected.data());
  Block result;
  halver.halve(block.data(), nullptr, 1, result.data());
  EXPECT_EQ(result, expected);
}

TEST(ChromaHalver, BoundsWhatBrokenFilesHold) {
  Block wild;
  for (std::size_t i = 0; i < kBlockSize; ++i) wild[i] = i % 3 == 0 ? INT16_MIN : INT16_MAX;
  Block result;
  ChromaHalver(uniform(65535), true, true).halve(wild.data(), nullptr, 1, result.data());
  for (const int level : result) EXPECT_LE(std::abs(level), kMaxLevel);
}

// Samples of one plane (0 luma, 1 and 2 chroma) as decoders show them.
std::vector<double> plane(const Bytes& jpeg, int which) {
  const Picture picture = read_jpeg(jpeg).picture;
  std::vector<double> samples;
  for (std::size_t i = 0; i < picture.samples.size(); i += 3) {
    const std::uint8_t* p = picture.samples.data() + i;
    const double light = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    samples.push_back(which == 0 ? light : which == 1 ? p[2] - light : p[0] - light);
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

TEST_P(FineChroma, BecomesWhatOthersMakeOfItOrBetter) {
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
  Picture colours =
      plain(333, 251, {0, 0, 0});  // colours without any, so that luma is all there is
  for (std::size_t i = 0; i < colours.samples.size(); ++i) colours.samples[i] = grey.samples[i / 3];
  JpegForm usual = form();
  usual.luma_across = usual.luma_down = 2;
  const CodecResult result = press(make_jpeg(colours, form()));
  EXPECT_EQ(plane(result.bytes, 0), plane(press(make_jpeg(colours, usual)).bytes, 0));
}

TEST_P(FineChroma, OfAnySizeAndEffort) {
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

TEST(FineChromaAlone, ThatIsCoarserThanItWouldBecomeStays) {
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
