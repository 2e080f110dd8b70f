// Reads the AC coefficients of blocks from a scan of a progressive file (ITU-T T.81, G.2).
#pragma once

#include <cstddef>
#include <cstdint>

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

// Makes the levels that are in `nonzero` larger by `unit` where their bit says so.
IMGPRESS_INLINE void correct(std::uint64_t bits, std::uint64_t nonzero, int unit, Block& block) {
  for (; nonzero != 0; nonzero &= nonzero - 1, bits <<= 1) {
    std::int16_t& level = block.at[__builtin_ctzll(nonzero)];
    const int larger = level < 0 ? level - unit : level + unit;
    level = static_cast<std::int16_t>(bits >> 63 != 0 ? larger : level);
  }
}

// The bits up to `at`.
constexpr std::uint64_t bits_up_to(unsigned at) {
  return ~std::uint64_t{0} >> (63 - at);
}

// Refines the levels of the band by one bit.
IMGPRESS_INLINE int refine_levels(BitReader& in, const BandCode& code, Block& block,
                                  std::uint64_t& nonzero) {
  const int unit = 1 << code.low_bit;
  const std::uint64_t old = nonzero & bits_between(code.first, code.last);
  const auto old_count = static_cast<unsigned>(__builtin_popcountll(old));
  Corrections corrections;
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
    // The place number `zeros`, not counting those in `old`.
    unsigned at = zeros + corrections.count;
    unsigned passed = 0;
    while (true) {
      passed = static_cast<unsigned>(__builtin_popcountll(old & bits_up_to(at)));
      if (at == zeros + passed) break;
      at = zeros + passed;
    }
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
