#include <gtest/gtest.h>

#include <numeric>

#include "press/jpeg/coefficients/quant_table.hpp"
#include "support/images/quant_tables.hpp"

namespace imgpress::press {
namespace {

using fixtures::uniform;

TEST(WholeMultiples, AreTheSourcesStepsOrTwiceThemNearby) {
  const auto step = [](std::uint16_t from, std::uint16_t to) {
    return whole_multiples(uniform(from), uniform(to))[7];
  };
  EXPECT_EQ(step(20, 3), 20);  // never finer
  EXPECT_EQ(step(20, 24), 20);
  EXPECT_EQ(step(20, 25), 40);
  EXPECT_EQ(step(20, 49), 40);
  EXPECT_EQ(step(20, 50), 50);
  EXPECT_EQ(step(1, 8), 8);
  EXPECT_EQ(step(130, 200), 200);  // 260 would not fit into a byte
  EXPECT_EQ(step(0, 9), 9);
}

TEST(WholeMultiples, ChangeNothingTheSecondTime) {
  for (int quality = 1; quality <= 100; ++quality) {
    const QualityTables tables = visual_tables(quality);
    for (const QuantTable& to : {tables.luma, tables.chroma}) {
      for (const std::uint16_t from : {1, 3, 7, 16, 29, 99}) {
        const QuantTable once = whole_multiples(uniform(from), to);
        EXPECT_EQ(whole_multiples(once, to), once) << quality << " from " << from;
      }
    }
  }
}

TEST(QuantTable, IsNearlyAsCoarseWithAtLeastAboutHalfTheSteps) {
  EXPECT_TRUE(is_nearly_as_coarse(uniform(30), uniform(20)));
  EXPECT_TRUE(is_nearly_as_coarse(uniform(10), uniform(20)));
  EXPECT_FALSE(is_nearly_as_coarse(uniform(9), uniform(20)));
  QuantTable coarse_at_the_end = uniform(5);
  coarse_at_the_end.back() = 2000;
  EXPECT_FALSE(is_nearly_as_coarse(coarse_at_the_end, uniform(20)));
}

TEST(VisualTables, AreCoarserForALowerQuality) {
  int last = 1 << 20;
  for (int quality = 1; quality <= 100; ++quality) {
    const QualityTables tables = visual_tables(quality);
    EXPECT_EQ(coarser_of(tables.luma, tables.chroma), tables.chroma);
    const int sum = std::accumulate(tables.luma.begin(), tables.luma.end(), 0);
    EXPECT_LE(sum, last) << quality;
    last = sum;
    for (const std::uint16_t step : tables.chroma) EXPECT_TRUE(step >= 1 && step <= 255);
  }
  EXPECT_EQ(visual_tables(100).luma, uniform(1));
  EXPECT_EQ(visual_tables(100).chroma, uniform(1));
}

TEST(VisualTables, AreSymmetricAndRiseWithTheFrequency) {
  std::array<int, kBlockSize> rows;
  const QuantTable luma = visual_tables(50).luma;
  for (std::size_t i = 0; i < kBlockSize; ++i) rows[kZigzag[i]] = luma[i];
  for (std::size_t v = 0; v < 8; ++v) {
    for (std::size_t u = 0; u < 8; ++u) {
      EXPECT_EQ(rows[v * 8 + u], rows[u * 8 + v]);
      if (u > 0) {
        EXPECT_GE(rows[v * 8 + u], rows[v * 8 + u - 1]) << u << ", " << v;
      }
    }
  }
}

}  // namespace
}  // namespace imgpress::press
