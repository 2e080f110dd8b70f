#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>
#include <vector>

#include "support/images/quant_tables.hpp"
#include "press/jpeg/coefficients/trellis_quantiser.hpp"
#include "press/jpeg/huffman_code.hpp"

namespace imgpress::press {
namespace {

using fixtures::uniform;

// Like those of a photograph: small levels behind short runs are the most frequent.
SymbolCounts common_counts() {
  SymbolCounts counts{};
  counts[kEndOfBlock] = 20000;
  for (std::size_t zeros = 0; zeros < 16; ++zeros) {
    for (std::size_t bits = 1; bits <= 6; ++bits) {
      counts[zeros * 16 + bits] = static_cast<std::uint32_t>(40000 >> (zeros + 2 * bits));
    }
  }
  return counts;
}

// Counts the bits of a block by the procedure of the standard, with the code that the quantiser
// assumes.
class Coder {
 public:
  explicit Coder(SymbolCounts counts) {
    smooth_ac_counts(counts);
    const HuffmanCode code = optimal_huffman_code(counts);
    std::size_t next = 0;
    for (std::size_t length = 1; length <= 16; ++length) {
      for (int i = 0; i < code.lengths[length]; ++i) lengths_[code.symbols[next++]] = length;
    }
  }

  double bits(const Block& block) const {
    double sum = 0;
    std::size_t zeros = 0;
    for (std::size_t order = 1; order < 64; ++order) {
      const int level = block.at[order];
      if (level == 0) {
        ++zeros;
        continue;
      }
      for (; zeros > 15; zeros -= 16) sum += double(lengths_[kSixteenZeros]);
      const auto size = static_cast<std::size_t>(magnitude_bits(level));
      sum += double(lengths_[zeros * 16 + size] + size);
      zeros = 0;
    }
    return zeros > 0 ? sum + double(lengths_[kEndOfBlock]) : sum;
  }

 private:
  std::array<std::size_t, 256> lengths_{};
};

double squared_error(const Block& before, const Block& after, double scale) {
  double sum = 0;
  for (std::size_t i = 1; i < kBlockSize; ++i) {
    const double likely = std::max(0.0, std::abs(before.at[i]) - CoefficientSample().bias(i));
    const double error = likely * scale - std::abs(after.at[i]);
    sum += error * error;
  }
  return sum;
}

// The least cost of all combinations of: the level, one less, zero.
double least_cost(const Block& before, const Block& levels, const Coder& coder, double scale,
                  double price) {
  std::vector<std::size_t> places;
  for (std::size_t i = 1; i < kBlockSize; ++i) {
    if (levels.at[i] != 0) places.push_back(i);
  }
  unsigned combinations = 1;
  for (std::size_t i = 0; i < places.size(); ++i) combinations *= 3;
  double least = 1e9;
  for (unsigned combination = 0; combination < combinations; ++combination) {
    Block trial = levels;
    unsigned rest = combination;
    for (const std::size_t place : places) {
      const int magnitude = std::abs(trial.at[place]);
      const int chosen = rest % 3 == 0 ? magnitude : rest % 3 == 1 ? magnitude - 1 : 0;
      trial.at[place] = static_cast<std::int16_t>(trial.at[place] < 0 ? -chosen : chosen);
      rest /= 3;
    }
    least = std::min(least, squared_error(before, trial, scale) + price * coder.bits(trial));
  }
  return least;
}

TEST(TrellisQuantiser, FindsTheOptimum) {
  std::mt19937 random(5);
  const Coder coder(common_counts());
  for (int round = 0; round < 300; ++round) {
    const double base_price = 0.01 * (1 + random() % 40);
    const TrellisQuantiser trellis(uniform(3), uniform(10), uniform(10), CoefficientSample(),
                                   common_counts(), base_price);
    Block before{};
    before.at[0] = static_cast<std::int16_t>(random() % 300);
    before.at[30] = 5;  // not only a gradient
    for (unsigned i = 0; i < 1 + random() % 7; ++i) {
      before.at[1 + random() % 63] = static_cast<std::int16_t>(int(random() % 31) - 15);
    }
    const BlockRequantiser requantiser(uniform(3), uniform(10), CoefficientSample());
    Block levels = before;
    requantiser.apply(&levels, 1);
    Block result = levels;
    trellis.apply(&before, &result, 1);
    EXPECT_EQ(result.at[0], levels.at[0]);
    const double price = trellis.lambda_for(before);
    EXPECT_NEAR(squared_error(before, result, 0.3) + price * coder.bits(result),
                least_cost(before, levels, coder, 0.3, price), 1e-3);
  }
}

TEST(TrellisQuantiser, GivesUpALoneHighFrequencyButNotALowOne) {
  const TrellisQuantiser trellis(uniform(6), uniform(10), uniform(10), CoefficientSample(),
                                 common_counts(), 0.05);
  Block before{};
  before.at[1] = before.at[60] = -1;  // 0.6 steps
  Block levels = before;
  trellis.apply(&before, &levels, 1);
  EXPECT_EQ(levels.at[1], -1);
  EXPECT_EQ(levels.at[60], 0);
}

TEST(TrellisQuantiser, AGradientKeepsItsSlope) {
  const TrellisQuantiser trellis(uniform(6), uniform(10), uniform(10), CoefficientSample(),
                                 common_counts(), 5);
  Block before{};
  before.at[1] = 1;  // 0.6 steps
  before.at[2] = -2;
  Block levels = before;
  trellis.apply(&before, &levels, 1);
  EXPECT_EQ(levels.at[1], 1);
  EXPECT_EQ(levels.at[2], -2);
  before.at[3] = levels.at[3] = 1;
  trellis.apply(&before, &levels, 1);
  EXPECT_EQ(levels.at[1], 0);
}

TEST(TrellisQuantiser, LambdaGrowsWithTexture) {
  const TrellisQuantiser trellis(uniform(6), uniform(10), uniform(10), CoefficientSample(),
                                 common_counts(), 0.05);
  Block calm{};
  calm.at[1] = 2;
  Block busy{};
  for (std::size_t i = 1; i < 30; ++i) busy.at[i] = 12;
  EXPECT_LT(trellis.lambda_for(calm), 0.05);
  EXPECT_GT(trellis.lambda_for(busy), 0.05);
  calm.at[0] = 100;  // DC is no texture
  EXPECT_LT(trellis.lambda_for(calm), 0.05);
}

// What is wanted counts, whatever the units and the grid of the source.
TEST(TrellisQuantiser, LambdaIsLessWhereStepsAreCoarse) {
  const auto lambda = [](std::uint16_t wanted, int fineness = 1) {
    const auto unit = static_cast<std::uint16_t>(fineness);
    const auto fine = static_cast<std::uint16_t>(wanted * fineness);
    const TrellisQuantiser trellis(uniform(unit), uniform(fine), uniform(fine), CoefficientSample(),
                                   common_counts(), 0.05, fineness);
    Block before{};
    before.at[30] = 100;
    return trellis.lambda_for(before);
  };
  EXPECT_FLOAT_EQ(lambda(40), lambda(10));
  EXPECT_FLOAT_EQ(lambda(96), lambda(10) / 2);
  EXPECT_FLOAT_EQ(lambda(96, 8), lambda(10) / 2);
  EXPECT_FLOAT_EQ(lambda(40, 8), lambda(10));
}

TEST(TrellisQuantiser, ChangesNothingAtLambdaZero) {
  std::mt19937 random(6);
  const TrellisQuantiser trellis(uniform(5), uniform(10), uniform(10), CoefficientSample(),
                                 common_counts(), 0);
  for (int round = 0; round < 100; ++round) {
    Block before;
    for (auto& level : before.at) level = static_cast<std::int16_t>(int(random() % 41) - 20);
    Block levels;
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      levels.at[i] = static_cast<std::int16_t>(std::lround(before.at[i] * 0.5));
    }
    Block result = levels;
    trellis.apply(&before, &result, 1);
    for (std::size_t i = 0; i < kBlockSize; ++i) {
      // If two levels are equally near, it may be either.
      ASSERT_LE(std::abs(before.at[i] * 0.5 - result.at[i]),
                std::abs(before.at[i] * 0.5 - levels.at[i]));
    }
  }
}

TEST(TrellisQuantiser, WeighsCoarseStepsMore) {
  const auto kept = [](std::uint16_t step) {
    QuantTable steps = uniform(10);
    steps[30] = step;
    QuantTable from = steps;
    for (auto& it : from) it = static_cast<std::uint16_t>(it * 6 / 10);
    const TrellisQuantiser trellis(from, steps, steps, CoefficientSample(), common_counts(), 0.02);
    Block before{};
    before.at[30] = 1;  // 0.6 steps
    Block levels = before;
    trellis.apply(&before, &levels, 1);
    return levels.at[30] != 0;
  };
  EXPECT_TRUE(kept(60));
  EXPECT_FALSE(kept(10));
}

// Whatever grid a source is on, an error of so many units counts for the same.
TEST(TrellisQuantiser, WeighsErrorsByTheWantedSteps) {
  const auto kept = [](std::uint16_t wanted) {
    const TrellisQuantiser trellis(uniform(10), uniform(10), uniform(wanted), CoefficientSample(),
                                   common_counts(), 0.05);
    Block before{};
    before.at[30] = 1;
    Block levels = before;
    trellis.apply(&before, &levels, 1);
    return levels.at[30] != 0;
  };
  EXPECT_TRUE(kept(8));
  EXPECT_FALSE(kept(16));
}

TEST(TrellisQuantiser, StepsOfZeroInInvalidTablesAreSafe) {
  const TrellisQuantiser trellis(uniform(0), uniform(0), uniform(0), CoefficientSample(),
                                 common_counts(), 0.05);
  Block before;
  std::fill(std::begin(before.at), std::end(before.at), std::int16_t{9});
  Block levels = before;
  trellis.apply(&before, &levels, 1);
  for (const int level : levels.at) EXPECT_TRUE(level >= 0 && level <= 9);
}

}  // namespace
}  // namespace imgpress::press
