#include "press/jpeg/rows/quantised_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "press/jpeg/rows/narrow_plane.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

constexpr std::uint32_t kWidth = 31;
constexpr std::uint32_t kHeight = 90;  // so that not every row is sampled

std::vector<Block> random_blocks() {
  std::mt19937 random(7);
  std::vector<Block> blocks(std::size_t{kWidth} * kHeight);
  for (Block& block : blocks) {
    for (std::int16_t& level : block.at) {
      level = static_cast<std::int16_t>(random() % 8 == 0 ? int(random() % 2001) - 1000
                                                          : int(random() % 7) - 3);
    }
  }
  return blocks;
}

std::unique_ptr<BlockRows> rows_of(const std::vector<Block>& blocks) {
  auto plane = std::make_unique<NarrowPlane>(kWidth, kHeight);
  for (std::uint32_t i = 0; i < blocks.size(); ++i) {
    plane->set(i % kWidth, i / kWidth, blocks[i].at, true);
  }
  return plane;
}

Plane plane_with(std::uint16_t step) {
  Plane plane;
  plane.width = kWidth;
  plane.height = kHeight;
  plane.steps.fill(step);
  return plane;
}

void expect_rows(BlockRows& rows, const std::vector<Block>& expected) {
  std::vector<Block> row(kWidth);
  for (std::uint32_t y = 0; y < kHeight; ++y) {
    rows.read(y, row.data());
    for (std::uint32_t x = 0; x < kWidth; ++x) {
      const Block& block = expected[std::size_t{y} * kWidth + x];
      ASSERT_TRUE(std::equal(block.at, block.at + kBlockSize, row[x].at)) << x << ", " << y;
    }
  }
}

TEST(QuantisedRows, AreWhatTheRequantiserMakesOfTheWholePlane) {
  for (const Effort effort : {Effort::kFast, Effort::kBalanced}) {
    Plane plane = plane_with(10);
    const std::uint32_t every = sampling_stride(plane, effort);
    ASSERT_GT(every, 1U);
    QuantTable to;
    for (std::size_t i = 0; i < kBlockSize; ++i) to[i] = static_cast<std::uint16_t>(5 + i);
    std::vector<Block> blocks = random_blocks();
    CoefficientSample sample;
    for (std::uint32_t y = 0; y < kHeight; y += every) {
      sample.add(blocks.data() + std::size_t{y} * kWidth, kWidth);
    }
    const auto rows = requantised(plane, rows_of(blocks), to, to, effort);
    EXPECT_EQ(plane.steps[0], 10);  // the coarser one
    EXPECT_EQ(plane.steps[63], 68);
    BlockRequantiser(plane_with(10).steps, plane.steps, sample).apply(blocks.data(), blocks.size());
    expect_rows(*rows, blocks);
  }
}

TEST(QuantisedRows, StayAsTheyAreWhereNoStepIsCoarser) {
  Plane plane = plane_with(10);
  QuantTable to;
  to.fill(10);
  const std::vector<Block> blocks = random_blocks();
  const auto rows = requantised(plane, rows_of(blocks), to, to, Effort::kBalanced);
  EXPECT_EQ(plane.steps, to);
  expect_rows(*rows, blocks);
}

// The eye tells red from green better than blue from yellow.
TEST(QuantisedRows, LevelsOfRedAreNotGivenUpForTheirBits) {
  const auto levels_of = [](Channel channel, bool from_pixels) {
    std::vector<Block> blocks = random_blocks();
    Plane plane = plane_with(10);
    plane.channel = channel;
    QuantTable to;
    to.fill(40);
    if (from_pixels) plane.steps = to;
    const auto rows = from_pixels ? quantised(plane, rows_of(blocks))
                                  : requantised(plane, rows_of(blocks), to, to, Effort::kSmall);
    int levels = 0;
    for (std::uint32_t y = 0; y < kHeight; ++y) {
      rows->read(y, blocks.data());
      for (std::uint32_t x = 0; x < kWidth; ++x) {
        levels += __builtin_popcountll(nonzero_in(blocks[x]));
      }
    }
    return levels;
  };
  for (const bool from_pixels : {false, true}) {
    EXPECT_GT(levels_of(Channel::kRed, from_pixels), levels_of(Channel::kBlue, from_pixels));
  }
}

// As in a picture of many pixels with a white border, of which a sample must hold more than that.
TEST(QuantisedRows, DoNotDependOnTheFirstRowOfAWidePlane) {
  constexpr std::uint32_t kColumns = 2000;
  constexpr std::uint32_t kRows = 60;
  std::mt19937 random(7);
  Plane plane;
  plane.width = kColumns;
  plane.height = kRows;
  plane.steps.fill(10);
  plane.make_blocks();
  for (std::size_t i = 0; i < plane.count(); ++i) {
    Block& block = plane.blocks[i] = {};
    for (std::size_t k = 0; k < 10; ++k) {
      block.at[k] = static_cast<std::int16_t>((int(random() % 41) - 20) * kFineness);
    }
  }
  const auto levels_below_the_first_row = [&plane] {
    const auto rows = quantised(plane, std::make_unique<PlaneRows>(plane));
    std::vector<Block> row(kColumns);
    int levels = 0;
    for (std::uint32_t y = 1; y < kRows; ++y) {
      rows->read(y, row.data());
      for (const Block& block : row) levels += __builtin_popcountll(nonzero_in(block));
    }
    return levels;
  };
  const int levels = levels_below_the_first_row();
  std::fill_n(plane.row(0), kColumns, Block{});
  EXPECT_NEAR(levels_below_the_first_row(), levels, levels / 100.0);
}

// A file's tables may have steps of 16 bits.
TEST(QuantisedRows, StepsOfAnySizeLeaveNoLevelThatTheyAreTooCoarseFor) {
  for (const int step : {4095, 4096, 4097, 8192, 65535}) {
    Plane plane;
    plane.width = plane.height = 1;
    plane.make_blocks();
    for (std::int16_t& coefficient : plane.blocks[0].at) coefficient = 1000 * kFineness;
    QuantTable steps;
    steps.fill(static_cast<std::uint16_t>(step));
    plane.steps = steps;
    Block block;
    quantised(plane, std::make_unique<PlaneRows>(plane))->read(0, &block);
    for (const std::int16_t level : block.at) EXPECT_EQ(level, 0) << step;
  }
}

}  // namespace
}  // namespace imgpress::press
