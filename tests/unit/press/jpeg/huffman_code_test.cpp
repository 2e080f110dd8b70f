#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

std::uint64_t cost(const HuffmanCode& code, const SymbolCounts& counts) {
  std::uint64_t bits = 0;
  std::size_t next = 0;
  for (std::size_t length = 1; length <= 16; ++length) {
    for (int i = 0; i < code.lengths[length]; ++i) bits += counts[code.symbols[next++]] * length;
  }
  return bits;
}

// The code space that is used: the sum of 2^-length of all codes, in units of 2^-16.
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

TEST(Symbols, SmoothingAddsEverySymbolOfABaselineFileAndNoOther) {
  SymbolCounts ac{};
  ac[0x11] = 3;
  smooth_ac_counts(ac);
  EXPECT_EQ(ac[0x11], 3U * 16 + 1);  // symbols in the sample outweigh the others
  EXPECT_EQ(std::count_if(ac.begin(), ac.end(), [](auto n) { return n > 0; }), 162);
  SymbolCounts dc{};
  smooth_dc_counts(dc);
  EXPECT_EQ(std::count_if(dc.begin(), dc.end(), [](auto n) { return n > 0; }), 12);
  EXPECT_EQ(symbols_in(optimal_huffman_code(ac)), 162U);
}

TEST(HuffmanCode, IsOptimal) {
  // The classic example: 5, 9, 12, 13, 16, 45 and the reserved code under the rarest of them.
  SymbolCounts counts{};
  counts['a'] = 45, counts['b'] = 13, counts['c'] = 12, counts['d'] = 16, counts['e'] = 9;
  counts['f'] = 5;
  const HuffmanCode code = optimal_huffman_code(counts);
  EXPECT_EQ(symbols_in(code), 6U);
  EXPECT_EQ(code.symbols[0], 'a');
  EXPECT_EQ(cost(code, counts),
            224U + 5U);  // the rarest symbol is the sibling of the reserved code
}

TEST(HuffmanCode, LeavesTheCodeOfAllOnesUnused) {
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

TEST(HuffmanCode, LimitsCodesTo16Bits) {
  SymbolCounts counts{};
  std::uint32_t a = 1;
  std::uint32_t b = 1;
  for (std::size_t i = 0; i < 40; ++i) {  // Fibonacci numbers make the deepest tree
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
