#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "press/jpeg/coefficients/block_downsampler.hpp"
#include "support/images/quant_tables.hpp"

namespace imgpress::press {
namespace {

using fixtures::uniform;

double cosine(int frequency, int sample) {
  const double length = std::sqrt(frequency == 0 ? 0.125 : 0.25);
  return length * std::cos((2 * sample + 1) * frequency * M_PI / 16);
}

// The coefficient of a block in row v and column u.
const std::int16_t& coefficient(const Block& block, int u, int v) {
  const auto place = std::find(kZigzag.begin(), kZigzag.end(), v * 8 + u);
  return block.at[place - kZigzag.begin()];
}

std::int16_t& coefficient(Block& block, int u, int v) {
  return const_cast<std::int16_t&>(coefficient(std::as_const(block), u, v));
}

// The sample at x, y of a block with steps of 1.
double sample_of(const Block& block, int x, int y) {
  double sum = 0;
  for (int v = 0; v < 8; ++v) {
    for (int u = 0; u < 8; ++u) sum += coefficient(block, u, v) * cosine(u, x) * cosine(v, y);
  }
  return sum;
}

// A smooth surface across blocks, and the block of it at `left`, `top` with steps of 1.
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
      coefficient(block, u, v) = std::int16_t(std::lround(sum));
    }
  }
  return block;
}

class Directions : public testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(Directions, KeepsASmoothSurface) {
  const auto [across, down] = GetParam();
  const Block blocks[] = {block_at(0, 0), block_at(8, 0), block_at(0, 8), block_at(8, 8)};
  Block result;
  BlockDownsampler(uniform(1), {across, down})
      .downsample({{&blocks[0], &blocks[1]}, {&blocks[2], &blocks[3]}}, result);
  const int step_x = across ? 2 : 1;
  const int step_y = down ? 2 : 1;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const double expected =
          surface(x * step_x + (across ? 0.5 : 0), y * step_y + (down ? 0.5 : 0));
      EXPECT_NEAR(sample_of(result, x, y), expected, 4) << x << ", " << y;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Directions,
                         testing::Values(std::make_pair(true, true), std::make_pair(true, false),
                                         std::make_pair(false, true)));

TEST(BlockDownsampler, KeepsAPlainColourExactly) {
  Block plain{};
  plain.at[0] = -37;
  Block result;
  BlockDownsampler(uniform(13), {true, true})
      .downsample({{&plain, &plain}, {&plain, &plain}}, result);
  EXPECT_EQ(result.at[0], -37 * 13);
  for (std::size_t i = 1; i < kBlockSize; ++i) EXPECT_EQ(result.at[i], 0) << i;
}

TEST(BlockDownsampler, MirrorsMissingBlocksAtTheEdges) {
  const Block block = block_at(3, 5);
  Block mirrored_x = block;
  Block mirrored_y = block;
  Block mirrored_both = block;
  for (int v = 0; v < 8; ++v) {
    for (int u = 0; u < 8; ++u) {
      const int x = u % 2 == 1 ? -1 : 1;
      const int y = v % 2 == 1 ? -1 : 1;
      coefficient(mirrored_x, u, v) = std::int16_t(coefficient(block, u, v) * x);
      coefficient(mirrored_y, u, v) = std::int16_t(coefficient(block, u, v) * y);
      coefficient(mirrored_both, u, v) = std::int16_t(coefficient(block, u, v) * x * y);
    }
  }
  const BlockDownsampler downsampler(uniform(1), {true, true});
  Block expected;
  downsampler.downsample({{&block, &mirrored_x}, {&mirrored_y, &mirrored_both}}, expected);
  Block result;
  downsampler.downsample({{&block, nullptr}, {nullptr, nullptr}}, result);
  EXPECT_TRUE(std::equal(std::begin(result.at), std::end(result.at), expected.at));
}

TEST(BlockDownsampler, ClampsInvalidCoefficients) {
  Block wild;
  for (std::size_t i = 0; i < kBlockSize; ++i) wild.at[i] = i % 3 == 0 ? INT16_MIN : INT16_MAX;
  Block result;
  BlockDownsampler(uniform(65535), {true, true})
      .downsample({{&wild, nullptr}, {nullptr, nullptr}}, result);
  for (const int level : result.at) EXPECT_LE(std::abs(level), kMaxLevel);
}

}  // namespace
}  // namespace imgpress::press
