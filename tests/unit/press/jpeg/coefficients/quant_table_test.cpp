#include <gtest/gtest.h>

#include <numeric>

#include "press/jpeg/coefficients/quant_table.hpp"
#include "support/images/quant_tables.hpp"

namespace imgpress::press {
namespace {

using fixtures::uniform;

// With a quality for which libjpeg's steps are so many times those of the source.
QuantTable steps(std::uint16_t from, std::uint16_t to, int growth = 5) {
  const int standard = std::min(from * growth, 65535);
  return steps_between(uniform(from), uniform(to), uniform(static_cast<std::uint16_t>(standard)));
}

TEST(StepsBetween, StayOrAreAtLeastTwiceTheSources) {
  const auto step = [](std::uint16_t from, std::uint16_t to) { return steps(from, to)[7]; };
  EXPECT_EQ(step(20, 3), 20);  // never finer
  EXPECT_EQ(step(20, 28), 20);
  EXPECT_EQ(step(20, 29), 41);
  EXPECT_EQ(step(20, 40), 49);
  EXPECT_EQ(step(20, 100), 104);
  EXPECT_EQ(step(1, 5), 5);
  EXPECT_EQ(step(150, 250), 255);  // more would not fit into a byte
  EXPECT_EQ(step(300, 255), 300);
}

TEST(StepsBetween, TheMeanOfABlockIsNoCoarserThanAsked) {
  EXPECT_EQ(steps(20, 40)[0], 40);
  EXPECT_EQ(steps(20, 28)[0], 20);
}

TEST(StepsBetween, ChangeAsLittleAsLibjpegWhereTheSourceIsAsCoarse) {
  for (const std::uint16_t standard : {10, 20, 22}) {
    EXPECT_EQ(steps_between(uniform(20), uniform(90), uniform(standard)), uniform(20));
  }
  const QuantTable some = steps_between(uniform(20), uniform(90), uniform(24));
  EXPECT_EQ(some[7], 35);  // 20 * 1.2^3
  QuantTable coarse_at_the_end = uniform(20);
  coarse_at_the_end.back() = 2000;  // which few levels belong to
  EXPECT_EQ(steps_between(coarse_at_the_end, uniform(90), uniform(24))[7], 35);
}

TEST(StepsBetween, OfInvalidTablesAreNotZero) {
  EXPECT_EQ(steps(0, 1), uniform(1));
  EXPECT_EQ(steps_between(uniform(0), uniform(9), uniform(9)), uniform(9));
}

TEST(StepsBetween, OfAFineSourceChangeNothingTheSecondTime) {
  for (int quality = 1; quality <= 100; ++quality) {
    const QuantTable standard = visual_tables(quality, SourceDetail::kCoarse).luma;
    const auto steps_for = [&](const QuantTable& source) {
      const QualityTables to = visual_tables(quality, detail_of(source, standard));
      return steps_between(source, to.luma, standard);
    };
    for (const std::uint16_t from : {1, 3, 7}) {
      const QuantTable once = steps_for(uniform(from));
      EXPECT_EQ(steps_for(once), once) << quality << " from " << from;
    }
  }
}

TEST(VisualTables, AreCoarserForALowerQuality) {
  int last = 1 << 20;
  for (int quality = 1; quality <= 100; ++quality) {
    const QualityTables tables = visual_tables(quality, SourceDetail::kCoarse);
    EXPECT_EQ(coarser_of(tables.luma, tables.chroma), tables.chroma);
    const QualityTables fine = visual_tables(quality, SourceDetail::kFine);
    EXPECT_EQ(coarser_of(fine.luma, tables.luma), tables.luma);
    EXPECT_EQ(coarser_of(tables.chroma, fine.chroma), fine.chroma);
    const int sum = std::accumulate(tables.luma.begin(), tables.luma.end(), 0);
    EXPECT_LE(sum, last) << quality;
    last = sum;
    for (const std::uint16_t step : tables.chroma) EXPECT_TRUE(step >= 1 && step <= 255);
  }
  EXPECT_EQ(visual_tables(100, SourceDetail::kFine).luma, uniform(1));
  EXPECT_EQ(visual_tables(100, SourceDetail::kCoarse).chroma, uniform(1));
}

TEST(VisualTables, HaveFinerLumaForASourceThatHasMoreToLose) {
  EXPECT_EQ(detail_of(uniform(1), uniform(2)), SourceDetail::kCoarse);
  EXPECT_EQ(detail_of(uniform(1), uniform(3)), SourceDetail::kFine);
  const QuantTable coarse = visual_tables(50, SourceDetail::kCoarse).luma;
  const QuantTable fine = visual_tables(50, SourceDetail::kFine).luma;
  for (const std::size_t slope : {0, 1, 2}) EXPECT_EQ(fine[slope], coarse[slope]);
  for (std::size_t i = 3; i < kBlockSize; ++i) EXPECT_LT(fine[i], coarse[i]);
}

TEST(VisualTables, AreSymmetricAndRiseWithTheFrequency) {
  std::array<int, kBlockSize> rows;
  const QuantTable luma = visual_tables(50, SourceDetail::kCoarse).luma;
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
