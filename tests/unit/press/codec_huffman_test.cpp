#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "press/block_symbols.hpp"
#include "press/huffman_code.hpp"

namespace imgpress::press {
namespace {

constexpr int kZigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                             12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                             35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                             58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

int bits_of(int value) {
  int bits = 0;
  for (int rest = std::abs(value); rest > 0; rest /= 2) ++bits;
  return bits;
}

// As the standard tells it: coefficient by coefficient.
void count_slowly(const std::vector<std::int16_t>& block, SymbolCounts& counts) {
  int zeros = 0;
  for (int i = 1; i < 64; ++i) {
    const int value = block[static_cast<std::size_t>(kZigzag[i])];
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

std::uint64_t cost(const HuffmanCode& code, const SymbolCounts& counts) {
  std::uint64_t bits = 0;
  std::size_t next = 0;
  for (std::size_t length = 1; length <= 16; ++length) {
    for (int i = 0; i < code.lengths[length]; ++i) bits += counts[code.symbols[next++]] * length;
  }
  return bits;
}

// Sum of 2^-length of all codes, in units of 2^-16.
std::uint64_t used_room(const HuffmanCode& code) {
  std::uint64_t room = 0;
  for (std::size_t length = 1; length <= 16; ++length) {
    room += std::uint64_t{code.lengths[length]} << (16 - length);
  }
  return room;
}

std::size_t symbols_in(const HuffmanCode& code) {
  return static_cast<std::size_t>(std::accumulate(code.lengths.begin(), code.lengths.end(), 0));
}

TEST(BlockSymbols, AgreeWithTheSlowWay) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const unsigned density = 1 + random() % 64;
    std::vector<std::int16_t> block(64);
    for (auto& value : block) {
      if (random() % 64 < density) value = static_cast<std::int16_t>(int(random() % 2047) - 1023);
    }
    SymbolCounts fast{};
    SymbolCounts slow{};
    count_ac_symbols(block.data(), 1, fast);
    count_slowly(block, slow);
    ASSERT_EQ(fast, slow);
  }
}

TEST(BlockSymbols, StepsOfTheFirstCoefficient) {
  SymbolCounts counts{};
  for (const int step : {0, 1, -1, 2, -3, 1023, -2046}) count_dc_symbol(step, counts);
  EXPECT_EQ(counts[0], 1U);
  EXPECT_EQ(counts[1], 2U);
  EXPECT_EQ(counts[2], 2U);
  EXPECT_EQ(counts[10], 1U);
  EXPECT_EQ(counts[11], 1U);
}

TEST(BlockSymbols, ASampleAdmitsEverySymbolOfABaselineFileAndNoOther) {
  SymbolCounts ac{};
  ac[0x11] = 3;
  admit_all_ac_symbols(ac);
  EXPECT_EQ(ac[0x11], 3U * 16 + 1);  // what was seen outweighs what was not
  EXPECT_EQ(std::count_if(ac.begin(), ac.end(), [](auto n) { return n > 0; }), 162);
  SymbolCounts dc{};
  admit_all_dc_symbols(dc);
  EXPECT_EQ(std::count_if(dc.begin(), dc.end(), [](auto n) { return n > 0; }), 12);
  EXPECT_EQ(symbols_in(best_huffman_code(ac)), 162U);
}

TEST(HuffmanCode, IsAsShortAsTheBestPossible) {
  // The classic example: 5, 9, 12, 13, 16, 45 and the reserved code under the rarest of them.
  SymbolCounts counts{};
  counts['a'] = 45, counts['b'] = 13, counts['c'] = 12, counts['d'] = 16, counts['e'] = 9;
  counts['f'] = 5;
  const HuffmanCode code = best_huffman_code(counts);
  EXPECT_EQ(symbols_in(code), 6U);
  EXPECT_EQ(code.symbols[0], 'a');
  EXPECT_EQ(cost(code, counts),
            224U + 5U);  // the rarest symbol shares its place with the reserved one
}

TEST(HuffmanCode, LeavesTheCodeOfOnesUnused) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    SymbolCounts counts{};
    const unsigned symbols = 1 + random() % 256;
    for (unsigned i = 0; i < symbols; ++i) counts[random() % 256] = 1 + random() % 1000;
    const HuffmanCode code = best_huffman_code(counts);
    ASSERT_LT(used_room(code), 1U << 16);
    const auto occurring =
        std::count_if(counts.begin(), counts.end(), [](auto n) { return n > 0; });
    ASSERT_EQ(symbols_in(code), static_cast<std::size_t>(occurring));
  }
}

TEST(HuffmanCode, BoundsCodesTo16Bits) {
  SymbolCounts counts{};
  std::uint32_t a = 1;
  std::uint32_t b = 1;
  for (std::size_t i = 0; i < 40; ++i) {  // Fibonacci: the deepest tree there is
    counts[i] = a;
    b += a;
    std::swap(a, b);
  }
  const HuffmanCode code = best_huffman_code(counts);
  EXPECT_EQ(symbols_in(code), 40U);
  EXPECT_LT(used_room(code), 1U << 16);
  EXPECT_EQ(code.symbols[0], 39);
}

TEST(HuffmanCode, OfASingleSymbolHasOneBit) {
  SymbolCounts counts{};
  counts[0] = 1000;
  const HuffmanCode code = best_huffman_code(counts);
  EXPECT_EQ(code.lengths[1], 1);
  EXPECT_EQ(symbols_in(code), 1U);
}

}  // namespace
}  // namespace imgpress::press
