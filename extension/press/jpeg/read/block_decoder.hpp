// Decodes the blocks of baseline scans.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/huffman_decoder.hpp"

namespace imgpress::press {

class BlockDecoder {
 public:
  // A block with room behind its end, so that the decoder may store what it looked up before it
  // knows whether that belongs to the block.
  struct alignas(64) Scratch {
    std::int16_t levels[4 * kBlockSize];
    bool is_wide = false;  // set when an AC level may not fit into a byte
  };

  // std::nullopt if a code is invalid.
  static std::optional<BlockDecoder> make(const HuffmanCode& dc, const HuffmanCode& ac);

  // From now on a look-up for DC finds the AC symbol behind it, too. That takes as long as half of
  // make(), so it is only worth it for many blocks.
  void pair_dc_with_ac();

  // Reads the levels of a block, which must be all zeros; that of DC is a difference. False if the
  // data is corrupt.
  IMGPRESS_INLINE bool read(BitReader& in, Scratch& scratch) const;

 private:
  static constexpr unsigned kPeekBits = 11;

  // What the next bits say: one symbol or two. Of a single one the advance is said twice.
  struct Lookup {
    std::uint8_t advance = kNotFound;  // of both
    std::uint8_t first_advance = kNotFound;
    std::uint16_t number_mask = 0;  // of the last symbol's extra bits, unless its level is known
    std::int16_t first_level = 0;
    std::int16_t last_level = 0;  // with a mask: what to add to a number that is small
  };
  struct Table {
    std::array<std::uint8_t, 1U << kPeekBits> bits{};  // apart, since they are needed first
    std::array<Lookup, 1U << kPeekBits> lookups{};
  };

  // The advance where the next bits have to be decoded one symbol at a time. Larger than any index
  // that the end of a block leads to.
  static constexpr unsigned kNotFound = 3 * kBlockSize;
  static_assert(kEobAdvance + kBlockSize - 1 <= kNotFound);

  // The most extra bits of a symbol that is looked up. With so many an AC level fits into a byte.
  static constexpr unsigned kMaxDcNumberBits = 9;
  static constexpr unsigned kMaxNumberBits = 7;
  static constexpr unsigned kMaxLookupBits = kPeekBits + kMaxNumberBits;

  // How often can be looked up behind the first time, and between two fills.
  static constexpr int kFirstLookups =
      (BitReader::kFilled - kPeekBits - kMaxDcNumberBits) / kMaxLookupBits;
  static constexpr int kLookups = BitReader::kFilled / kMaxLookupBits;

  // Makes `count` lookups, but no more once one leads to the end of the block or beyond: true.
  // `before`: what was upcoming before the last one.
  template <int count>
  static IMGPRESS_INLINE bool look_up(const Table& table, BitReader& in, std::int16_t* levels,
                                      unsigned& at, std::uint64_t& before);

  // Each reads one symbol. False if the data is corrupt.
  IMGPRESS_INLINE bool read_dc(BitReader& in, Scratch& scratch) const;
  IMGPRESS_INLINE bool read_one(BitReader& in, Scratch& scratch, unsigned& at) const;

  static Table make_table(const HuffmanDecoder& first, unsigned max_first_bits,
                          const HuffmanDecoder& second);
  static bool set_last(const SymbolLookup& symbol, unsigned max_number_bits, std::size_t index,
                       Table& table);

  Table first_;  // a DC symbol, and an AC symbol behind it; empty unless they are paired
  Table next_;   // AC symbols
  HuffmanDecoder dc_symbols_;
  HuffmanDecoder ac_symbols_;
};

template <int count>
IMGPRESS_INLINE bool BlockDecoder::look_up(const Table& table, BitReader& in, std::int16_t* levels,
                                           unsigned& at, std::uint64_t& before) {
#pragma GCC unroll 8
  for (int i = 0; i < count; ++i) {
    before = in.upcoming();
    const std::size_t index = before >> (64 - kPeekBits);
    const unsigned bits = table.bits[index];
    in.consume(bits);
    const Lookup& found = table.lookups[index];
    levels[at + found.first_advance] = found.first_level;
    at += found.advance;
    const int mask = found.number_mask;
    const int number = static_cast<int>(before >> (-bits & 63)) & mask;
    const int small = (2 * number - mask - 1) >> 31;  // all ones, or zero
    levels[at] = static_cast<std::int16_t>(number + (small & found.last_level));
    if (at >= kBlockSize - 1) return true;
  }
  return false;
}

IMGPRESS_INLINE bool BlockDecoder::read_dc(BitReader& in, Scratch& scratch) const {
  const SymbolLookup symbol = dc_symbols_.find(in.upcoming());
  if (symbol.bits == 0) return false;
  scratch.levels[0] = static_cast<std::int16_t>(value_in(in.upcoming(), symbol));
  in.consume(symbol.bits);
  return true;
}

IMGPRESS_INLINE bool BlockDecoder::read_one(BitReader& in, Scratch& scratch, unsigned& at) const {
  in.fill();
  const SymbolLookup symbol = ac_symbols_.find(in.upcoming());
  if (symbol.bits == 0) return false;
  at += symbol.advance;
  scratch.levels[at] = static_cast<std::int16_t>(value_in(in.upcoming(), symbol));
  scratch.is_wide = scratch.is_wide || symbol.value_bits > kMaxNumberBits;
  in.consume(symbol.bits);
  return at < kBlockSize || at >= kEobAdvance;
}

IMGPRESS_INLINE bool BlockDecoder::read(BitReader& in, Scratch& scratch) const {
  constexpr unsigned kLast = kBlockSize - 1;
  std::int16_t* const levels = scratch.levels;
  unsigned at = 0;
  std::uint64_t before = 0;
  in.fill();
  bool stopped = look_up<1>(first_, in, levels, at, before);
  if (__builtin_expect(at == kNotFound, 0)) {
    if (!read_dc(in, scratch)) return false;
    at = 0;
    stopped = false;
  } else if (!stopped) {
    stopped = look_up<kFirstLookups>(next_, in, levels, at, before);
  }
  while (true) {
    while (!stopped) {
      in.fill();
      stopped = look_up<kLookups>(next_, in, levels, at, before);
    }
    if (at == kLast || (at >= kEobAdvance && at < kNotFound)) return true;
    // Not found, or the second of two symbols belongs to the next block.
    const std::size_t index = before >> (64 - kPeekBits);
    at -= next_.lookups[index].advance;
    in.take_back(before, next_.bits[index]);
    if (!read_one(in, scratch, at)) return false;
    if (at >= kLast) return true;
    stopped = false;
  }
}

}  // namespace imgpress::press
