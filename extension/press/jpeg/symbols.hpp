// From coefficients to the symbols that a JPEG file codes by Huffman codes (ITU-T T.81, F.1.2,
// G.1.2).
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

// The two symbols that stand for no coefficient; all others are zeros before it * 16 + its bits.
constexpr unsigned kEndOfBlock = 0x00;
constexpr unsigned kSixteenZeros = 0xF0;

// The most bits that 8-bit samples lead to: of a level, and of a step of the first one from block
// to block.
constexpr unsigned kMaxLevelBits = 10;
constexpr unsigned kMaxDcBits = 11;

// Bits that a coefficient's magnitude takes.
constexpr unsigned magnitude_bits(int value) {
  const int magnitude = value < 0 ? -value : value;
  return magnitude == 0
             ? 0
             : 32U - static_cast<unsigned>(__builtin_clz(static_cast<unsigned>(magnitude)));
}

// One bit for each coefficient of a block that is not zero.
IMGPRESS_INLINE std::uint64_t nonzero_in(const Block& block) {
  std::uint64_t nonzero = 0;
#ifdef __SSE2__
  const auto* eights = reinterpret_cast<const __m128i*>(block.at);
  for (int i = 0; i < 4; ++i) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i zeros =
        _mm_packs_epi16(_mm_cmpeq_epi16(_mm_load_si128(eights + 2 * i), zero),
                        _mm_cmpeq_epi16(_mm_load_si128(eights + 2 * i + 1), zero));
    const auto sixteen = static_cast<std::uint16_t>(~_mm_movemask_epi8(zeros));
    nonzero |= std::uint64_t{sixteen} << 16 * i;
  }
#else
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    nonzero |= std::uint64_t{block.at[i] != 0} << i;
  }
#endif
  return nonzero;
}

// The bits of a mask for the coefficients from the first to the last.
constexpr std::uint64_t bits_between(unsigned first, unsigned last) {
  return ~std::uint64_t{0} >> (63 - last) & ~std::uint64_t{0} << first;
}

// A symbol and the number behind it: number << 16 | symbol.
using PackedSymbol = std::uint32_t;

// Bits of the number behind a symbol: of a coefficient, or of how many blocks end at once.
constexpr unsigned extra_bits(unsigned symbol) {
  if (symbol == kSixteenZeros) return 0;
  return symbol % 16 != 0 ? symbol % 16 : symbol / 16;
}

// Of all steps of first coefficients, and so of all levels: the symbol without zeros before it.
constexpr int kMaxDcDifference = 2 * kMaxLevel + 1;
extern const std::array<PackedSymbol, 2 * kMaxDcDifference + 1> kPackedValues;

// `value` behind zeros. `Sink::put` takes a packed symbol.
template <typename Sink>
IMGPRESS_INLINE void put_value(int value, unsigned zeros, Sink& sink) {
  sink.put(kPackedValues[static_cast<std::size_t>(value + kMaxDcDifference)] | zeros << 4);
}

// Puts those coefficients of a block that `nonzero` tells, the first one's place being behind
// `previous`. Returns the place of the last one, or `previous`.
template <typename Sink>
IMGPRESS_INLINE unsigned put_levels(const Block& block, std::uint64_t nonzero, unsigned previous,
                                    Sink& sink) {
  for (; nonzero != 0; nonzero &= nonzero - 1) {
    const auto place = static_cast<unsigned>(__builtin_ctzll(nonzero));
    unsigned zeros = place - previous - 1;
    for (; __builtin_expect(zeros > 15, 0); zeros -= 16) sink.put(kSixteenZeros);
    put_value(block.at[place], zeros, sink);
    previous = place;
  }
  return previous;
}

// All but the first coefficient.
template <typename Sink>
IMGPRESS_INLINE void put_block(const Block& block, Sink& sink) {
  constexpr unsigned kLast = kBlockSize - 1;
  if (put_levels(block, nonzero_in(block) & bits_between(1, kLast), 0, sink) < kLast) {
    sink.put(kEndOfBlock);
  }
}

struct SymbolCounter {
  SymbolCounts& counts;

  IMGPRESS_INLINE void put(PackedSymbol symbol) { ++counts[symbol & 0xFF]; }
};

// From counts of a sample to those of a picture, each less than 2^32 / 16: every symbol that 8-bit
// samples can lead to counts as seen a sixteenth of a time at least, so that a code for all of them
// has one for each.
void smooth_dc_counts(SymbolCounts& counts);
void smooth_ac_counts(SymbolCounts& counts);

}  // namespace imgpress::press
