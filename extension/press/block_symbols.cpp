#include "press/block_symbols.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace imgpress::press {
namespace {

constexpr int kSize = 64;

// The most bits that a level, and a step of the first one from block to block, can take.
constexpr std::size_t kMaxLevelBits = 10;
constexpr std::size_t kMaxStepBits = 11;

constexpr std::array<std::uint8_t, kSize> make_zigzag() {
  std::array<std::uint8_t, kSize> places{};
  int row = 0;
  int column = 0;
  for (int i = 0; i < kSize; ++i) {
    places[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(row * 8 + column);
    const bool upwards = (row + column) % 2 == 0;
    int& forward = upwards ? column : row;
    int& backward = upwards ? row : column;
    if (forward == 7) {
      ++backward;
    } else {
      ++forward;
      if (backward > 0) --backward;
    }
  }
  return places;
}

constexpr auto kOrder = make_zigzag();

// For each row of a block and each pattern of its non-zero coefficients: the same in coding order.
using RowPatterns = std::array<std::array<std::uint64_t, 256>, 8>;

constexpr RowPatterns make_row_patterns() {
  RowPatterns patterns{};
  for (std::size_t i = 0; i < kSize; ++i) {
    const std::size_t row = kOrder[i] / 8;
    const std::size_t bit = kOrder[i] % 8;
    for (std::size_t pattern = 0; pattern < 256; ++pattern) {
      if ((pattern >> bit & 1) != 0) patterns[row][pattern] |= std::uint64_t{1} << i;
    }
  }
  return patterns;
}

constexpr RowPatterns kRowPatterns = make_row_patterns();

// One bit for each non-zero coefficient of a row of eight.
#ifdef __SSE2__
unsigned row_pattern(const std::int16_t* row) {
  const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row));
  const __m128i zeros = _mm_cmpeq_epi16(values, _mm_setzero_si128());
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(zeros, zeros))) % 256 ^ 0xFF;
}
#else
unsigned row_pattern(const std::int16_t* row) {
  unsigned pattern = 0;
  for (unsigned i = 0; i < 8; ++i) pattern |= (row[i] != 0 ? 1U : 0U) << i;
  return pattern;
}
#endif

void count_block(const std::int16_t* block, SymbolCounts& counts) {
  int last = 0;
  for (std::uint64_t rest = nonzero_in_coding_order(block) & ~std::uint64_t{1}; rest != 0;
       rest &= rest - 1) {
    const int place = __builtin_ctzll(rest);
    const int zeros = place - last - 1;
    const int bits = magnitude_bits(block[kOrder[static_cast<std::size_t>(place)]]);
    counts[kSixteenZeros] += static_cast<std::uint32_t>(zeros / 16);
    ++counts[static_cast<std::size_t>(zeros % 16 * 16 + bits)];
    last = place;
  }
  if (last < kSize - 1) ++counts[kEndOfBlock];
}

void count_16_times(SymbolCounts& counts) {
  for (std::uint32_t& count : counts) count *= 16;
}

}  // namespace

const std::array<std::uint8_t, kSize> kZigzag = kOrder;

std::uint64_t nonzero_in_coding_order(const std::int16_t* block) {
  std::uint64_t nonzero = 0;
  for (std::size_t row = 0; row < 8; ++row) {
    nonzero |= kRowPatterns[row][row_pattern(block + row * 8)];
  }
  return nonzero;
}

void count_ac_symbols(const std::int16_t* blocks, std::size_t count, SymbolCounts& counts) {
  for (std::size_t i = 0; i < count; ++i) count_block(blocks + i * kSize, counts);
}

void count_dc_symbol(int difference, SymbolCounts& counts) {
  ++counts[static_cast<std::size_t>(magnitude_bits(difference))];
}

void count_padding_blocks(std::uint32_t count, SymbolCounts& dc, SymbolCounts& ac) {
  dc[0] += count;
  ac[kEndOfBlock] += count;
}

void admit_all_dc_symbols(SymbolCounts& counts) {
  count_16_times(counts);
  for (std::size_t bits = 0; bits <= kMaxStepBits; ++bits) ++counts[bits];
}

void admit_all_ac_symbols(SymbolCounts& counts) {
  count_16_times(counts);
  for (std::size_t zeros = 0; zeros < 16; ++zeros) {
    for (std::size_t bits = 1; bits <= kMaxLevelBits; ++bits) ++counts[zeros * 16 + bits];
  }
  ++counts[kEndOfBlock];
  ++counts[kSixteenZeros];
}

}  // namespace imgpress::press
