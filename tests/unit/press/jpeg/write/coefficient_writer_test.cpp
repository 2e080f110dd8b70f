// libjpeg must read what our writer has written.
#include <gtest/gtest.h>

#include <random>

#include "press/jpeg/write/coefficient_writer.hpp"
#include "support/images/libjpeg_coefficients.hpp"
#include "support/images/pictures.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

std::optional<Bytes> write(const CoefficientImage& picture, const FrameHeader& header,
                           Effort effort, std::size_t size_limit) {
  ImageRows rows;
  for (const Plane& plane : picture) rows.push_back(std::make_unique<PlaneRows>(plane));
  return write_coefficients(picture, rows, header, {}, effort, size_limit);
}

CoefficientImage random_image(std::mt19937& random, int planes) {
  CoefficientImage picture;
  for (int i = 0; i < planes; ++i) {
    Plane plane;
    plane.id = std::uint8_t(i + 1);
    plane.channel = i == 1 ? Channel::kBlue : i == 2 ? Channel::kRed : Channel::kLuma;
    plane.h_factor = plane.v_factor = planes == 3 && i == 0 ? 2 : 1;
    plane.width = plane.h_factor == 2 ? 9 : planes == 3 ? 5 : 9;
    plane.height = plane.h_factor == 2 ? 7 : planes == 3 ? 4 : 7;
    plane.steps.fill(std::uint16_t(i == 2 ? 300 : 10));
    plane.make_blocks();
    for (std::size_t b = 0; b < plane.count(); ++b) {
      clear(plane.blocks[b]);
      const unsigned density = random() % 3 == 0 ? 0 : 1 + random() % 64;
      for (std::int16_t& level : plane.blocks[b].at) {
        if (random() % 64 < density) level = std::int16_t(int(random() % 2047) - 1023);
      }
      if (random() % 4 == 0) plane.blocks[b].at[63] = -1023;  // behind many zeros
    }
    picture.push_back(std::move(plane));
  }
  return picture;
}

TEST(CoefficientWriter, LibjpegReadsWhatWasWritten) {
  std::mt19937 random(8);
  for (int round = 0; round < 60; ++round) {
    for (const int planes : {1, 3, 4}) {
      for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
        const CoefficientImage picture = random_image(random, planes);
        FrameHeader header;
        header.width = 9 * 8 - 3;
        header.height = 7 * 8 - 5;
        header.jfif = planes != 4;
        const auto file = write(picture, header, effort, 1'000'000);
        ASSERT_TRUE(file);
        const LibjpegReading reading = read_with_libjpeg(view(*file));
        ASSERT_EQ(reading.fault, "");
        ASSERT_EQ(reading.planes, in_rows(picture));
      }
    }
  }
}

// A grey image of 400 x 100 blocks: empty ones at the top, then ones full of detail. Huffman codes
// of all lengths are used; the rare symbols for end-of-band runs have the longest.
CoefficientImage empty_then_busy(std::uint32_t empty_blocks) {
  CoefficientImage picture(1);
  Plane& plane = picture[0];
  plane.width = 400;
  plane.height = 100;
  plane.steps.fill(10);
  plane.make_blocks();
  std::mt19937 random(3);
  for (std::size_t b = 0; b < plane.count(); ++b) {
    clear(plane.blocks[b]);
    if (b < empty_blocks) continue;
    for (std::size_t i = 1; i < 30; ++i) {
      const int level = 1 << std::min(9, __builtin_ctz(static_cast<unsigned>(random()) | 512));
      if (random() % 2 == 0)
        plane.blocks[b].at[i] = std::int16_t(random() % 2 == 0 ? level : -level);
    }
  }
  return picture;
}

TEST(CoefficientWriter, LongRunsOfEmptyBlocks) {
  FrameHeader header;
  header.width = 3200;
  header.height = 800;
  for (const std::uint32_t empty : {1U, 4094U, 4095U, 4096U, 8191U, 17'000U, 36'000U, 40'000U}) {
    const CoefficientImage picture = empty_then_busy(empty);
    const auto file = write(picture, header, Effort::kSmall, 10'000'000);
    ASSERT_TRUE(file);
    const LibjpegReading reading = read_with_libjpeg(view(*file));
    EXPECT_EQ(reading.fault, "") << empty;
    EXPECT_EQ(reading.planes, in_rows(picture)) << empty;
  }
}

TEST(CoefficientWriter, FastEffortHasACodeForEveryLevel) {
  // Rows of MCUs that are not sampled hold symbols that no sampled row has.
  CoefficientImage picture(1);
  Plane& plane = picture[0];
  plane.width = 4;
  plane.height = 40;
  plane.steps.fill(1);
  plane.make_blocks();
  std::mt19937 random(6);
  for (std::size_t b = 0; b < plane.count(); ++b) {
    clear(plane.blocks[b]);
    if (b / plane.width % 8 == 0) continue;
    for (std::int16_t& level : plane.blocks[b].at) {
      if (random() % 8 == 0) level = std::int16_t(int(random() % (2 * kMaxLevel + 1)) - kMaxLevel);
    }
    plane.blocks[b].at[0] = b % 2 == 0 ? kMinDc : kMaxLevel;
    plane.blocks[b].at[63] = b % 2 == 0 ? kMaxLevel : -kMaxLevel;
  }
  FrameHeader header;
  header.width = 32;
  header.height = 320;
  const auto file = write(picture, header, Effort::kFast, 1'000'000);
  ASSERT_TRUE(file);
  const LibjpegReading reading = read_with_libjpeg(view(*file));
  EXPECT_EQ(reading.fault, "");
  EXPECT_EQ(reading.planes, in_rows(picture));
}

TEST(CoefficientWriter, StopsAtTheSizeLimit) {
  std::mt19937 random(9);
  const CoefficientImage picture = random_image(random, 3);
  FrameHeader header;
  header.width = 69;
  header.height = 51;
  for (const Effort effort : {Effort::kFast, Effort::kBalanced, Effort::kSmall}) {
    const std::size_t size = write(picture, header, effort, 1'000'000)->size();
    EXPECT_TRUE(write(picture, header, effort, size + 1));
    for (const std::size_t room : {size, size - 1, size / 2, std::size_t{10}, std::size_t{0}}) {
      EXPECT_FALSE(write(picture, header, effort, room)) << room;
    }
  }
}

}  // namespace
}  // namespace imgpress::press
