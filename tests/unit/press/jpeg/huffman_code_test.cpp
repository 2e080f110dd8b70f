#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

int bits_of(int value) {
  int bits = 0;
  for (int rest = std::abs(value); rest > 0; rest /= 2) ++bits;
  return bits;
}

// As the standard tells it: coefficient by coefficient.
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

TEST(Symbols, AgreeWithTheSlowWay) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const unsigned density = 1 + random() % 64;
    Block block{};
    for (auto& value : block.at) {
      if (random() % 64 < density) value = static_cast<std::int16_t>(int(random() % 2047) - 1023);
    }
    SymbolCounts fast{};
    SymbolCounter counter{fast};
    put_block(block, counter);
    SymbolCounts slow{};
    count_slowly(block, slow);
    ASSERT_EQ(fast, slow);
  }
}

TEST(Symbols, HaveTheirNumbersBehindThem) {
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

TEST(Symbols, CodingOrderFollowsTheDiagonals) {
  constexpr int kFirst[] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5};
  constexpr int kLast[] = {58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
  EXPECT_TRUE(std::equal(std::begin(kFirst), std::end(kFirst), kZigzag.begin()));
  EXPECT_TRUE(std::equal(std::begin(kLast), std::end(kLast), kZigzag.end() - 16));
}

TEST(Symbols, ASampleAdmitsEverySymbolOfABaselineFileAndNoOther) {
  SymbolCounts ac{};
  ac[0x11] = 3;
  smooth_ac_counts(ac);
  EXPECT_EQ(ac[0x11], 3U * 16 + 1);  // what was seen outweighs what was not
  EXPECT_EQ(std::count_if(ac.begin(), ac.end(), [](auto n) { return n > 0; }), 162);
  SymbolCounts dc{};
  smooth_dc_counts(dc);
  EXPECT_EQ(std::count_if(dc.begin(), dc.end(), [](auto n) { return n > 0; }), 12);
  EXPECT_EQ(symbols_in(optimal_huffman_code(ac)), 162U);
}

TEST(HuffmanCode, IsAsShortAsTheBestPossible) {
  // The classic example: 5, 9, 12, 13, 16, 45 and the reserved code under the rarest of them.
  SymbolCounts counts{};
  counts['a'] = 45, counts['b'] = 13, counts['c'] = 12, counts['d'] = 16, counts['e'] = 9;
  counts['f'] = 5;
  const HuffmanCode code = optimal_huffman_code(counts);
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
    const HuffmanCode code = optimal_huffman_code(counts);
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
  const HuffmanCode code = optimal_huffman_code(counts);
  EXPECT_EQ(symbols_in(code), 40U);
  EXPECT_LT(used_room(code), 1U << 16);
  EXPECT_EQ(code.symbols[0], 39);
}

TEST(HuffmanCode, OfASingleSymbolHasOneBit) {
  SymbolCounts counts{};
  counts[0] = 1000;
  const HuffmanCode code = optimal_huffman_code(counts);
  EXPECT_EQ(code.lengths[1], 1);
  EXPECT_EQ(symbols_in(code), 1U);
}

}  // namespace
}  // namespace imgpress::press
