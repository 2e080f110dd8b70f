// Turns coefficients into the symbols that a JPEG file Huffman-codes (ITU-T T.81, F.1.2 and G.1.2).
// A symbol is (zeros before the coefficient) * 16 + (bits of its magnitude); the extra bits behind
// the symbol's code tell which of the values of that magnitude it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/cpu_targets.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace imgpress::press {

using SymbolCounts = std::array<std::uint32_t, 256>;

// The two symbols that stand for no coefficient.
constexpr unsigned kEndOfBlock = 0x00;
constexpr unsigned kSixteenZeros = 0xF0;

// The most magnitude bits that 8-bit samples lead to: of an AC level, and of a DC difference.
constexpr unsigned kMaxLevelBits = 10;
constexpr unsigned kMaxDcBits = 11;

// Bits of a coefficient's magnitude; 0 for 0.
constexpr unsigned magnitude_bits(int value) {
  const int magnitude = value < 0 ? -value : value;
  return magnitude == 0
             ? 0
             : 32U - static_cast<unsigned>(__builtin_clz(static_cast<unsigned>(magnitude)));
}

// A mask with a bit for each coefficient that is not zero.
IMGPRESS_INLINE std::uint64_t nonzero_in(const Block& block) {
#ifdef __SSE2__
  std::uint64_t zeros = 0;
  const auto* eights = reinterpret_cast<const __m128i*>(block.at);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i sixteen =
        _mm_packs_epi16(_mm_cmpeq_epi16(_mm_load_si128(eights + 2 * i), zero),
                        _mm_cmpeq_epi16(_mm_load_si128(eights + 2 * i + 1), zero));
    zeros |= static_cast<std::uint64_t>(_mm_movemask_epi8(sixteen)) << 16 * i;
  }
  return ~zeros;
#else
  std::uint64_t nonzero = 0;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    nonzero |= std::uint64_t{block.at[i] != 0} << i;
  }
  return nonzero;
#endif
}

// A mask of the coefficients `first` to `last`.
constexpr std::uint64_t bits_between(unsigned first, unsigned last) {
  return ~std::uint64_t{0} >> (63 - last) & ~std::uint64_t{0} << first;
}

// A symbol with its extra bits: extra bits << 16 | symbol.
using PackedSymbol = std::uint32_t;

// How many extra bits follow a symbol: those of a coefficient or, in progressive scans, those of
// the length of an end-of-band run.
constexpr unsigned extra_bits(unsigned symbol) {
  if (symbol == kSixteenZeros) return 0;
  return symbol % 16 != 0 ? symbol % 16 : symbol / 16;
}

// The packed symbol of each DC difference, at [difference + kMaxDcDifference]. AC levels have a
// smaller range, so they use it too; put_value() adds the zeros before them.
constexpr int kMaxDcDifference = 2 * kMaxLevel + 1;
extern const std::array<PackedSymbol, 2 * kMaxDcDifference + 1> kPackedValues;

IMGPRESS_INLINE PackedSymbol packed_value(std::ptrdiff_t value) {
  return *(kPackedValues.data() + kMaxDcDifference + value);
}

// Puts `value` after a run of zeros. `Sink::put` takes a packed symbol.
template <typename Sink>
IMGPRESS_INLINE void put_value(int value, unsigned zeros, Sink& sink) {
  sink.put(packed_value(value) | zeros << 4);
}

// Puts the coefficients whose bits are set in `nonzero`, counting zeros from index `previous` on.
// Returns the index of the last one, or `previous` if there is none.
template <typename Sink>
IMGPRESS_INLINE unsigned put_levels(const Block& block, std::uint64_t nonzero, unsigned previous,
                                    Sink& sink) {
  for (; nonzero != 0; nonzero &= nonzero - 1) {
    const auto at = static_cast<unsigned>(__builtin_ctzll(nonzero));
    unsigned zeros = at - previous - 1;
    for (; __builtin_expect(zeros > 15, 0); zeros -= 16) sink.put(kSixteenZeros);
    put_value(block.at[at], zeros, sink);
    previous = at;
  }
  return previous;
}

// Puts the AC coefficients of a block.
template <typename Sink>
IMGPRESS_INLINE void put_block(const Block& block, Sink& sink) {
  constexpr unsigned kLast = kBlockSize - 1;
  if (put_levels(block, nonzero_in(block) & bits_between(1, kLast), 0, sink) < kLast) {
    sink.put(kEndOfBlock);
  }
}

// True if there are more than 15 zeros before a coefficient whose bit is set in `nonzero`, from
// index `previous` on.
constexpr bool has_long_run(std::uint64_t nonzero, unsigned previous) {
  std::uint64_t covered = nonzero | std::uint64_t{1} << previous;  // and the 15 places behind each
  covered |= covered << 1;
  covered |= covered << 2;
  covered |= covered << 4;
  covered |= covered << 8;
  return (nonzero >> 1 & ~covered) != 0;
}

// A sink that writes to memory. `table` is added to each symbol.
struct SymbolWriter {
  PackedSymbol* to;
  PackedSymbol table;

  IMGPRESS_INLINE void put(PackedSymbol symbol) { *to++ = symbol | table; }
};

// The same as put_levels() for a sink that writes to memory; returns the end of what was written.
// Up to three symbols beyond that are garbage. `table`: is added to each symbol.
IMGPRESS_INLINE PackedSymbol* write_levels(const Block& block, std::uint64_t nonzero,
                                           unsigned previous, PackedSymbol table,
                                           PackedSymbol* to) {
  constexpr std::uint64_t kLast = std::uint64_t{1} << (kBlockSize - 1);
  if (__builtin_expect(has_long_run(nonzero, previous), 0)) {
    SymbolWriter writer{to, table};
    put_levels(block, nonzero, previous, writer);
    return writer.to;
  }
  PackedSymbol* const end = to + __builtin_popcountll(nonzero);
  // Four at a time, whether there are four or not: how often a loop is repeated cannot be foretold.
  while (to < end) {
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; ++i) {
      const auto at = static_cast<unsigned>(__builtin_ctzll(nonzero | kLast));
      to[i] = packed_value(block.at[at]) | (at - previous - 1) << 4 | table;
      previous = at;
      nonzero &= nonzero - 1;
    }
    to += 4;
  }
  return end;
}

// Likewise for put_block().
IMGPRESS_INLINE PackedSymbol* write_block(const Block& block, PackedSymbol table,
                                          PackedSymbol* to) {
  const std::uint64_t nonzero = nonzero_in(block) & ~std::uint64_t{1};
  PackedSymbol* const end = write_levels(block, nonzero, 0, table, to);
  *end = kEndOfBlock | table;
  return end + (nonzero >> (kBlockSize - 1) == 0 ? 1 : 0);
}

struct SymbolCounter {
  SymbolCounts& counts;

  IMGPRESS_INLINE void put(PackedSymbol symbol) { ++counts[symbol & 0xFF]; }
};

// Additive smoothing of counts from a sample: every symbol that 8-bit samples can lead to counts as
// seen 1/16 times at least, so that the code made of the counts has one for each, whatever the rest
// of the image holds. Counts must be below 2^32 / 16.
void smooth_dc_counts(SymbolCounts& counts);
void smooth_ac_counts(SymbolCounts& counts);

}  // namespace imgpress::press
