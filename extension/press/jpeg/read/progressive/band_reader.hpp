// Reads the AC coefficients of blocks from a scan of a progressive file (ITU-T T.81, G.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/huffman_decoder.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

// What is the same for all blocks of a scan.
struct BandCode {
  const HuffmanDecoder& symbols;
  unsigned first;
  unsigned last;
  unsigned low_bit;
};

// The functions below read a block whose levels other than zero are `nonzero`, and add new ones to
// that. They return how many blocks from this one on have no further symbols: 0 if this one has no
// end; negative if the data is corrupt.
constexpr int kCorrupt = -1;

// The levels of the band are zeros so far.
IMGPRESS_INLINE int read_levels(BitReader& in, const BandCode& code, Block& block,
                                std::uint64_t& nonzero) {
  const int unit = 1 << code.low_bit;
  unsigned at = code.first - 1;
  while (true) {
    in.fill();
    const SymbolLookup symbol = code.symbols.find(in.upcoming());
    if (symbol.bits == 0) return kCorrupt;
    const int value = value_in(in.upcoming(), symbol);
    in.consume(symbol.bits);
    at += symbol.advance;
    if (at > code.last) return symbol.advance == kEobAdvance ? value : kCorrupt;
    block.at[at] = static_cast<std::int16_t>(value * unit);
    nonzero |= std::uint64_t{value != 0} << at;
    if (at == code.last) return 0;
  }
}

// Correction bits, one for each level that is not zero, from the most significant bit down.
struct Corrections {
  // What can be taken from a filled reader behind a symbol without filling it again.
  static constexpr unsigned kAtOnce = 26;

  std::uint64_t bits = 0;
  unsigned count = 0;

  IMGPRESS_INLINE void take(BitReader& in, unsigned more) {
    for (; __builtin_expect(more > kAtOnce, 0); more -= kAtOnce) {
      take_few(in, kAtOnce);
      in.fill();
    }
    take_few(in, more);
  }

 private:
  IMGPRESS_INLINE void take_few(BitReader& in, unsigned more) {
    bits |= (in.upcoming() & ~(~std::uint64_t{0} >> more)) >> count;
    count += more;
    in.consume(more);
  }
};

// Makes the levels that are in `nonzero` larger by `unit` where their bit says so. The bits behind
// theirs must be zeros.
IMGPRESS_INLINE void correct(std::uint64_t bits, std::uint64_t nonzero, int unit, Block& block) {
  constexpr std::uint64_t kLast = std::uint64_t{1} << (kBlockSize - 1);
  // Four at a time, whether there are four or not: how often a loop is repeated cannot be foretold.
  while (nonzero != 0) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      std::int16_t& level = block.at[__builtin_ctzll(nonzero | kLast)];
      const int sign = level >> 15;  // -1 or 0
      const int bit = static_cast<int>(bits >> 63);
      level = static_cast<std::int16_t>(level + (((unit ^ sign) - sign) & -bit));
      nonzero &= nonzero - 1;
      bits <<= 1;
    }
  }
}

// For each byte the places of its bits that are not set, from the lowest one up, in bytes of which
// the lowest comes first.
constexpr std::array<std::uint64_t, 256> find_zero_bits() {
  std::array<std::uint64_t, 256> places{};
  for (std::size_t byte = 0; byte < places.size(); ++byte) {
    unsigned count = 0;
    for (unsigned bit = 0; bit < 8; ++bit) {
      if ((byte >> bit & 1) == 0) places[byte] |= std::uint64_t{bit} << 8 * count++;
    }
  }
  return places;
}

inline constexpr auto kZeroBits = find_zero_bits();

// The places of a block that are not in `old`: at[n] is the one with n others below it.
struct ZeroPlaces {
  // Those of a band, and at most seven below it.
  IMGPRESS_INLINE ZeroPlaces(std::uint64_t old, unsigned first, unsigned last) {
    unsigned count = first & ~7U;  // none is in `old` below the band
    for (unsigned base = count; base <= last; base += 8) {
      const auto byte = static_cast<std::uint8_t>(old >> base);
      std::uint64_t found = kZeroBits[byte] + 0x0101010101010101 * base;
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
      found = __builtin_bswap64(found);
#endif
      std::memcpy(at + count, &found, sizeof found);
      count += 8 - static_cast<unsigned>(__builtin_popcount(byte));
    }
  }

  std::uint8_t at[kBlockSize + 8];
};

// Refines the levels of the band by one bit.
IMGPRESS_INLINE int refine_levels(BitReader& in, const BandCode& code, Block& block,
                                  std::uint64_t& nonzero) {
  const int unit = 1 << code.low_bit;
  const std::uint64_t old = nonzero & bits_between(code.first, code.last);
  const auto old_count = static_cast<unsigned>(__builtin_popcountll(old));
  Corrections corrections;
  const ZeroPlaces places(old, code.first, code.last);
  unsigned zeros = code.first - 1;  // places up to here that are not in `old`
  int run = 0;
  while (true) {
    in.fill();
    const SymbolLookup symbol = code.symbols.find(in.upcoming());
    if (symbol.bits == 0) return kCorrupt;
    const int value = value_in(in.upcoming(), symbol);
    in.consume(symbol.bits);
    zeros += symbol.advance;
    if (zeros + old_count > code.last) {
      if (symbol.advance != kEobAdvance) return kCorrupt;
      corrections.take(in, old_count - corrections.count);
      run = value;
      break;
    }
    const unsigned at = places.at[zeros];
    const unsigned passed = at - zeros;
    corrections.take(in, passed - corrections.count);
    block.at[at] = static_cast<std::int16_t>(value * unit);
    nonzero |= std::uint64_t{value != 0} << at;
    if (at == code.last) break;
  }
  correct(corrections.bits, old, unit, block);
  return run;
}

// Refines the levels of a block that has no symbols.
IMGPRESS_INLINE void refine_rest(BitReader& in, const BandCode& code, Block& block,
                                 std::uint64_t nonzero) {
  const std::uint64_t old = nonzero & bits_between(code.first, code.last);
  if (old == 0) return;
  in.fill();
  Corrections corrections;
  corrections.take(in, static_cast<unsigned>(__builtin_popcountll(old)));
  correct(corrections.bits, old, 1 << code.low_bit, block);
}

}  // namespace imgpress::press
