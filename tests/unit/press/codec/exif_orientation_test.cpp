#include <gtest/gtest.h>

#include <random>

#include "support/images/image_fixtures.hpp"
#include "press/codec/exif_orientation.hpp"

namespace imgpress::press {
namespace {

using namespace fixtures;

int orientation_in(const std::string& block) {
  // A copy of exactly this size, so that a sanitizer notices any access beyond it.
  const Bytes bytes(block.begin(), block.end());
  return read_orientation(view(bytes));
}

TEST(ExifOrientation, IsReadInBothByteOrdersWithAndWithoutPrefix) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {true, false}) {
      EXPECT_EQ(orientation_in(exif_block(orientation, big_endian)), orientation);
      EXPECT_EQ(orientation_in(exif_payload(orientation, big_endian)), orientation);
    }
  }
}

TEST(ExifOrientation, InvalidBlocksHaveNone) {
  EXPECT_EQ(orientation_in(""), 0);
  EXPECT_EQ(orientation_in("Exif"), 0);
  EXPECT_EQ(orientation_in(std::string("Exif\0\0", 6)), 0);
  EXPECT_EQ(orientation_in(exif_block(0)), 0);
  EXPECT_EQ(orientation_in(exif_block(9)), 0);
  EXPECT_EQ(orientation_in("XX" + exif_block(6).substr(2)), 0);
  // Not in the byte order that it states.
  EXPECT_EQ(orientation_in("II" + exif_block(6, true).substr(2)), 0);
}

TEST(ExifOrientation, TruncatedBlocksAreReadAsFarAsTheyGo) {
  const std::string block = exif_block(6);
  constexpr std::size_t kEndOfEntry = 8 + 2 + 2 * 12;
  for (std::size_t size = 0; size < block.size(); ++size) {
    EXPECT_EQ(orientation_in(block.substr(0, size)), size >= kEndOfEntry ? 6 : 0) << size;
  }
}

TEST(ExifOrientation, DirectoriesBeyondTheBlockAreIgnored) {
  for (const std::uint32_t offset : {0U, 9U, 1000U, 0x7FFFFFFFU, 0xFFFFFFF0U, 0xFFFFFFFFU}) {
    std::string block = exif_block(6);
    for (int i = 0; i < 4; ++i) block[std::size_t(4 + i)] = char(offset >> (24 - 8 * i));
    EXPECT_EQ(orientation_in(block), 0) << offset;
  }
}

TEST(ExifOrientation, RandomBlocksAreSafe) {
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string block = exif_payload(1 + int(random() % 8), random() % 2 == 0);
    for (unsigned i = 0; i < 1 + random() % 8; ++i) block[random() % block.size()] = char(random());
    const int orientation = orientation_in(block.substr(0, random() % (block.size() + 1)));
    ASSERT_GE(orientation, 0);
    ASSERT_LE(orientation, 8);
  }
}

TEST(ExifOrientation, TheMinimalBlockHoldsTheOrientation) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto block = minimal_exif(orientation);
    EXPECT_EQ(read_orientation({block.data(), block.size()}), orientation);
  }
}

}  // namespace
}  // namespace imgpress::press
