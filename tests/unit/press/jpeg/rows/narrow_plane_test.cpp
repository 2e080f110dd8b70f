#include "press/jpeg/rows/narrow_plane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace imgpress::press {
namespace {

bool has_wide_level(const Block& block) {
  return std::any_of(block.at + 1, block.at + kBlockSize,
                     [](int level) { return level < -128 || level > 127; });
}

// A plane and what was put into it.
class Filled {
 public:
  Filled(std::uint32_t width, std::uint32_t height)
      : width_(width),
        height_(height),
        blocks_(std::size_t{width} * height),
        plane_(width, height) {
    for (Block& block : blocks_) clear(block);
  }

  Block& block(std::uint32_t x, std::uint32_t y) { return blocks_[std::size_t{y} * width_ + x]; }

  // In the order of a file whose MCUs have two blocks by two.
  void set_all() {
    for (std::uint32_t top = 0; top < height_; top += 2) {
      for (std::uint32_t left = 0; left < width_; left += 2) {
        for (std::uint32_t y = top; y < std::min(top + 2, height_); ++y) {
          for (std::uint32_t x = left; x < std::min(left + 2, width_); ++x) {
            plane_.set(x, y, block(x, y).at, has_wide_level(block(x, y)));
          }
        }
      }
    }
  }

  // The last row first, and each row twice.
  void expect_all() {
    std::vector<Block> row(width_);
    for (std::uint32_t i = 0; i < 2 * height_; ++i) {
      const std::uint32_t y = height_ - 1 - i / 2;
      plane_.read(y, row.data());
      for (std::uint32_t x = 0; x < width_; ++x) {
        ASSERT_TRUE(std::equal(row[x].at, row[x].at + kBlockSize, block(x, y).at))
            << "block " << x << ", " << y;
      }
    }
  }

 private:
  std::uint32_t width_;
  std::uint32_t height_;
  std::vector<Block> blocks_;
  NarrowPlane plane_;
};

constexpr int kLevels[] = {-1023, -1022, -513, -512, -511, -257, -256, -255, -129, -128,
                           -127,  -2,    -1,   0,    1,    2,    126,  127,  128,  129,
                           255,   256,   257,  511,  512,  513,  1022, 1023};

TEST(NarrowPlane, KeepsAnyLevelAtAnyPlace) {
  Filled plane(kBlockSize, std::size(kLevels));
  for (std::uint32_t y = 0; y < std::size(kLevels); ++y) {
    for (std::uint32_t x = 0; x < kBlockSize; ++x) {
      plane.block(x, y).at[x] = static_cast<std::int16_t>(kLevels[y]);
    }
  }
  plane.set_all();
  plane.expect_all();
}

TEST(NarrowPlane, KeepsTheRangeOfDc) {
  Filled plane(kMaxLevel - kMinDc + 1, 1);
  for (int dc = kMinDc; dc <= kMaxLevel; ++dc) {
    plane.block(static_cast<std::uint32_t>(dc - kMinDc), 0).at[0] = static_cast<std::int16_t>(dc);
  }
  plane.set_all();
  plane.expect_all();
}

// From none to all of the blocks have wide levels, and from one to all of a block's are wide.
TEST(NarrowPlane, KeepsFewWideLevelsAndMany) {
  std::mt19937 random(5);
  for (const unsigned blocks : {0U, 1U, 10U, 50U, 100U}) {
    for (const unsigned levels : {1U, 3U, 30U, 64U}) {
      Filled plane(53, 9);
      for (std::uint32_t i = 0; i < 53 * 9; ++i) {
        Block& block = plane.block(i % 53, i / 53);
        const bool is_wide = random() % 100 < blocks;
        for (std::int16_t& level : block.at) {
          const bool fits = !is_wide || random() % 64 >= levels;
          level = static_cast<std::int16_t>(fits ? int(random() % 256) - 128
                                                 : int(random() % 2047) - kMaxLevel);
        }
      }
      plane.set_all();
      plane.expect_all();
    }
  }
}

TEST(NarrowPlane, ABlockThatIsCalledWideNeedNotBe) {
  NarrowPlane plane(1, 1);
  Block block;
  for (std::size_t i = 0; i < kBlockSize; ++i) block.at[i] = static_cast<std::int16_t>(2 * i - 64);
  plane.set(0, 0, block.at, true);
  Block read;
  plane.read(0, &read);
  EXPECT_TRUE(std::equal(read.at, read.at + kBlockSize, block.at));
}

}  // namespace
}  // namespace imgpress::press
