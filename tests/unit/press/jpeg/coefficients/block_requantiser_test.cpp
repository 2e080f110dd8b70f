#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>
#include <vector>

#include "support/images/quant_tables.hpp"
#include "press/jpeg/coefficients/block_requantiser.hpp"

namespace imgpress::press {
namespace {

using fixtures::uniform;

void fill(Block& block, std::int16_t value) {
  std::fill(std::begin(block.at), std::end(block.at), value);
}

// The definition in integers, which the SIMD loop must agree with.
int level_by_definition(const BlockRequantiser& requantiser, int value, std::size_t place, int from,
                        int to) {
  const long long level =
      (static_cast<long long>(std::abs(value)) * from + requantiser.addend(place)) / to;
  return static_cast<int>(value < 0 ? -level : level);
}

// Levels 0, 1, 2, ... of every frequency, each `quotient` times as often as the one before.
CoefficientSample geometric_sample(double quotient) {
  CoefficientSample sample;
  double count = 4000;
  for (std::int16_t level = 0; count >= 1; ++level, count *= quotient) {
    Block block;
    fill(block, level);
    for (int i = 0; i < static_cast<int>(count); ++i) sample.add(&block, 1);
  }
  return sample;
}

TEST(BlockRequantiser, AgreesWithTheDefinitionForAllStepsAndLevels) {
  std::mt19937 random(1);
  const CoefficientSample sample = geometric_sample(0.4);
  for (int round = 0; round < 3000; ++round) {
    QuantTable from;
    QuantTable to;
    Block block;
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      from[i] = static_cast<std::uint16_t>(1 + random() % 255);
      to[i] = static_cast<std::uint16_t>(from[i] + random() % (256 - from[i]));
      // All that 8-bit samples can lead to, except for pure white and black, which have their own
      // rule.
      const int most = (i == 0 ? 1000 : 1023) / from[i];
      block.at[i] = static_cast<std::int16_t>(static_cast<int>(random() % (2 * most + 1)) - most);
    }
    const BlockRequantiser requantiser(from, to, sample);
    Block result = block;
    requantiser.apply(&result, 1);
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      ASSERT_EQ(result.at[i], level_by_definition(requantiser, block.at[i], i, from[i], to[i]))
          << block.at[i] << " from step " << from[i] << " to " << to[i];
    }
  }
}

// Whether a level's block is a narrow one makes no difference, with steps that suit integers of 16
// bits and with those that do not.
TEST(BlockRequantiser, MakesTheSameOfNarrowBlocks) {
  std::mt19937 random(2);
  for (const unsigned coarsest : {2U, 20U, 60U, 100U, 120U, 130U, 255U, 3000U}) {
    for (int round = 0; round < 60; ++round) {
      const CoefficientSample sample = geometric_sample(0.1 + 0.8 * (round % 9) / 9);
      QuantTable from;
      QuantTable to;
      for (std::size_t i = 0; i < kBlockSize; ++i) {
        to[i] = static_cast<std::uint16_t>(1 + random() % coarsest);
        from[i] = static_cast<std::uint16_t>(1 + random() % to[i]);
      }
      const BlockRequantiser requantiser(from, to, sample);
      for (int level = INT8_MIN; level <= INT8_MAX; ++level) {
        const auto dc = static_cast<std::int16_t>(int(random() % 2048) + kMinDc);
        NarrowBlock narrow;
        std::fill(std::begin(narrow.at), std::end(narrow.at), static_cast<std::int8_t>(level));
        Block block;
        fill(block, static_cast<std::int16_t>(level));
        block.at[0] = dc;
        requantiser.apply(&block, 1);
        Block result;
        requantiser.apply(&narrow, &dc, 1, &result);
        ASSERT_TRUE(std::equal(block.at, block.at + kBlockSize, result.at))
            << coarsest << " " << level;
      }
    }
  }
}

TEST(BlockRequantiser, RoundsUpTiesAtMost) {
  const CoefficientSample unknown;
  for (int from = 1; from <= 60; ++from) {
    for (int to = from; to <= 255; ++to) {
      const BlockRequantiser requantiser(uniform(static_cast<std::uint16_t>(from)),
                                         uniform(static_cast<std::uint16_t>(to)), unknown);
      for (std::size_t i = 0; i < kBlockSize; i += 7) {
        EXPECT_LE(2 * requantiser.addend(i), to);  // a tie may go up, nothing else
        EXPECT_GE(requantiser.addend(i), 0);       // and nothing goes further than rounding down
        // The lower level is taken for a larger error only if the difference is slight: a fiftieth
        // of the new step, and nothing for DC.
        EXPECT_GE(50 * (2 * requantiser.addend(i) + 2 + from), (i == 0 ? 50 : 49) * to);
      }
    }
  }
}

TEST(BlockRequantiser, TwiceTheStepRoundsOddLevelsDown) {
  const BlockRequantiser requantiser(uniform(8), uniform(16), geometric_sample(0.5));
  Block block{};
  block.at[5] = 1, block.at[6] = -1, block.at[7] = 3, block.at[8] = -3, block.at[9] = 4;
  requantiser.apply(&block, 1);
  EXPECT_EQ(block.at[5], 0);
  EXPECT_EQ(block.at[6], 0);
  EXPECT_EQ(block.at[7], 1);
  EXPECT_EQ(block.at[8], -1);
  EXPECT_EQ(block.at[9], 2);
}

TEST(BlockRequantiser, FineStepsRoundTiesUp) {
  const BlockRequantiser requantiser(uniform(1), uniform(10), geometric_sample(0.5));
  Block block{};
  block.at[5] = 5, block.at[6] = -5, block.at[7] = 4, block.at[8] = 15;
  requantiser.apply(&block, 1);
  EXPECT_EQ(block.at[5], 1);
  EXPECT_EQ(block.at[6], -1);
  EXPECT_EQ(block.at[7], 0);
  EXPECT_EQ(block.at[8], 2);
}

TEST(BlockRequantiser, KeepsLevelsWhereTheStepStays) {
  const BlockRequantiser requantiser(uniform(7), uniform(7), geometric_sample(0.1));
  for (int value = -100; value <= 100; ++value) {
    Block block;
    fill(block, static_cast<std::int16_t>(value));
    requantiser.apply(&block, 1);
    for (const std::int16_t level : block.at) ASSERT_EQ(level, value);
  }
}

TEST(BlockRequantiser, WhiteAndBlackBlocksStayWhiteAndBlack) {
  for (std::uint16_t from = 1; from <= 40; ++from) {
    for (std::uint16_t to = from; to <= 120; ++to) {
      const BlockRequantiser requantiser(uniform(from), uniform(to), geometric_sample(0.5));
      // What an encoder stores for 255 and for 0, where its own rounding keeps them.
      for (const int exact : {8 * 127, -8 * 128}) {
        const int stored = static_cast<int>(std::lround(static_cast<double>(exact) / from));
        const auto shown = [](int level, int step) {
          const double sample = std::floor(level * step / 8.0 + 0.5);  // as decoders round halves
          return std::clamp(static_cast<int>(sample) + 128, 0, 255);
        };
        if (shown(stored, from) != (exact > 0 ? 255 : 0)) continue;
        Block block{};
        block.at[0] = static_cast<std::int16_t>(stored);
        requantiser.apply(&block, 1);
        ASSERT_EQ(shown(block.at[0], to), exact > 0 ? 255 : 0) << "from " << from << " to " << to;
      }
    }
  }
}

TEST(BlockRequantiser, ClampsToBaselineLevels) {
  const BlockRequantiser requantiser(uniform(10), uniform(11), CoefficientSample());
  Block block;
  fill(block, INT16_MIN);
  block.at[1] = INT16_MAX;
  requantiser.apply(&block, 1);
  EXPECT_EQ(block.at[1], kMaxLevel);
  EXPECT_EQ(block.at[2], -kMaxLevel);
}

TEST(BlockRequantiser, StepsOfZeroInInvalidTablesAreSafe) {
  const BlockRequantiser requantiser(uniform(0), uniform(0), CoefficientSample());
  Block block;
  fill(block, 77);
  requantiser.apply(&block, 1);
  for (const std::int16_t level : block.at) EXPECT_EQ(level, 0);
}

TEST(CoefficientSample, FindsTheBiasOfALaplacian) {
  // For a quotient of 1/e the mean of the truncated exponential lies 0.0820 under the middle.
  EXPECT_NEAR(geometric_sample(0.36788).bias(10), 0.082, 0.003);
  EXPECT_NEAR(geometric_sample(0.13534).bias(10), 0.1565, 0.006);
  EXPECT_LT(geometric_sample(0.9).bias(10), 0.02);
  EXPECT_EQ(geometric_sample(0.36788).bias(0), 0);
}

TEST(QuantTables, CoarserIsTheLargerStepOfEach) {
  QuantTable a = uniform(10);
  QuantTable b = uniform(10);
  a[3] = 20;
  b[4] = 30;
  const QuantTable coarser = coarser_of(a, b);
  EXPECT_EQ(coarser[3], 20);
  EXPECT_EQ(coarser[4], 30);
  EXPECT_EQ(coarser[5], 10);
}

}  // namespace
}  // namespace imgpress::press
