#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>
#include <vector>

#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

int bits_of(int value) {
  int bits = 0;
  for (int rest = std::abs(value); rest > 0; rest /= 2) ++bits;
  return bits;
}

// The procedure of the standard: coefficient by coefficient.
void count_slowly(const Block& block, SymbolCounts& counts) {
  int zeros = 0;
  for (int i = 1; i < 64; ++i) {
    const int value = block.at[i];
    if (value == 0) {
      ++zeros;
      continue;
    }
    for (; zeros > 15; zeros -= 16) ++counts[0xF0];
    ++counts[static_cast<std::size_t>(zeros * 16 + bits_of(value))];
    zeros = 0;
  }
  if (zeros > 0) ++counts[0x00];
}

// With few coefficients or many.
Block random_block(std::mt19937& random) {
  const unsigned density = 1 + random() % 64;
  Block block{};
  for (auto& value : block.at) {
    if (random() % 64 < density) value = static_cast<std::int16_t>(int(random() % 2047) - 1023);
  }
  return block;
}

TEST(Symbols, AgreeWithTheStandardsProcedure) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const Block block = random_block(random);
    SymbolCounts fast{};
    SymbolCounter counter{fast};
    put_block(block, counter);
    SymbolCounts slow{};
    count_slowly(block, slow);
    ASSERT_EQ(fast, slow);
  }
}

TEST(Symbols, AreTheSameWrittenFourAtATime) {
  constexpr PackedSymbol kTable = 2U << 8;
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    const Block block = random_block(random);
    std::vector<PackedSymbol> expected(80);
    SymbolWriter writer{expected.data(), kTable};
    put_block(block, writer);
    std::vector<PackedSymbol> written(80);
    const auto count = write_block(block, kTable, written.data()) - written.data();
    ASSERT_EQ(count, writer.to - expected.data());
    ASSERT_TRUE(std::equal(written.begin(), written.begin() + count, expected.begin()));
  }
}

TEST(Symbols, CarryTheirExtraBits) {
  struct Sink {
    PackedSymbol last;
    void put(PackedSymbol symbol) { last = symbol; }
  };
  for (const auto& [value, number] : std::vector<std::pair<int, unsigned>>{
           {0, 0}, {1, 1}, {-1, 0}, {2, 2}, {-2, 1}, {-3, 0}, {1023, 1023}, {-2047, 0}}) {
    Sink sink{};
    put_value(value, 3, sink);
    EXPECT_EQ(sink.last >> 16, number) << value;
    EXPECT_EQ(sink.last & 0xFFFF, 3U * 16 + static_cast<unsigned>(bits_of(value))) << value;
  }
}

TEST(Symbols, ZigzagOrderFollowsTheDiagonals) {
  constexpr int kFirst[] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5};
  constexpr int kLast[] = {58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
  EXPECT_TRUE(std::equal(std::begin(kFirst), std::end(kFirst), kZigzag.begin()));
  EXPECT_TRUE(std::equal(std::begin(kLast), std::end(kLast), kZigzag.end() - 16));
}

}  // namespace
}  // namespace imgpress::press
