// Decodes the AC coefficients of baseline scans.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/cpu_targets.hpp"
#include "press/jpeg/read/bit_reader.hpp"
#include "press/jpeg/read/huffman_decoder.hpp"

namespace imgpress::press {

class AcDecoder {
 public:
  // A block with room behind its end, so that the decoder may store what it looked up before it
  // knows whether that belongs to the block.
  struct alignas(64) Scratch {
    std::int16_t levels[4 * kBlockSize];
    bool is_wide = false;  // set when an AC level may not fit into a byte
  };

  // std::nullopt if the code is invalid.
  static std::optional<AcDecoder> make(const HuffmanCode& code);

  // Reads the AC coefficients of a block, which must be all zeros. False if the data is corrupt.
  // To be called when a DC coefficient has been read from a filled reader.
  IMGPRESS_INLINE bool read(BitReader& in, Scratch& scratch) const;

 private:
  static constexpr unsigned kPeekBits = 11;

  // What the next bits say: one symbol or two. Of a single one the advance is said twice.
  struct Lookup {
    std::uint8_t advance = kNotFound;  // of both
    std::uint8_t first_advance = kNotFound;
    std::uint8_t number_bits = 0;  // extra bits of the last symbol, unless its level is known
    std::int16_t first_level = 0;
    std::int16_t last_level = 0;  // with number_bits: what to add to a number that is small
  };
  template <typename Value>
  using Table = std::array<Value, 1U << kPeekBits>;

  // The advance where the next bits have to be decoded one symbol at a time. Larger than any index
  // that the end of a block leads to.
  static constexpr unsigned kNotFound = 3 * kBlockSize;
  static_assert(kEobAdvance + kBlockSize - 1 <= kNotFound);

  // The most extra bits of a symbol that is looked up. With so many a level fits into a byte.
  static constexpr unsigned kMaxNumberBits = 7;
  static constexpr unsigned kMaxLookupBits = kPeekBits + kMaxNumberBits;

  // How much can be looked up behind a DC coefficient, and between two fills.
  static constexpr int kFirstLookups =
      (BitReader::kFilled - kMaxCodeBits - kMaxDcBits) / kMaxLookupBits;
  static constexpr int kLookups = BitReader::kFilled / kMaxLookupBits;

  // Makes `count` lookups, but no more once one leads to the end of the block or beyond: true.
  // `before`: what was upcoming before the last one.
  template <int count>
  IMGPRESS_INLINE bool look_up(BitReader& in, std::int16_t* levels, unsigned& at,
                               std::uint64_t& before) const;

  // Reads one symbol. False if the data is corrupt.
  IMGPRESS_INLINE bool read_one(BitReader& in, Scratch& scratch, unsigned& at) const;

  bool set_last(std::size_t index, const SymbolLookup& symbol);

  Table<std::uint8_t> bits_{};  // of codes and extra bits; apart, since they are needed first
  Table<Lookup> lookups_{};
  HuffmanDecoder symbols_;
};

template <int count>
IMGPRESS_INLINE bool AcDecoder::look_up(BitReader& in, std::int16_t* levels, unsigned& at,
                                        std::uint64_t& before) const {
#pragma GCC unroll 8
  for (int i = 0; i < count; ++i) {
    before = in.upcoming();
    const std::size_t index = before >> (64 - kPeekBits);
    const unsigned bits = bits_[index];
    in.consume(bits);
    const Lookup& found = lookups_[index];
    levels[at + found.first_advance] = found.first_level;
    at += found.advance;
    const auto peeked = static_cast<std::uint32_t>(before >> (-bits & 63));
    const std::uint32_t values = 1U << found.number_bits;
    const auto number = static_cast<int>(peeked & (values - 1));
    const int small = (2 * number - static_cast<int>(values)) >> 31;  // all ones, or zero
    levels[at] = static_cast<std::int16_t>(number + (small & found.last_level));
    if (at >= kBlockSize - 1) return true;
  }
  return false;
}

IMGPRESS_INLINE bool AcDecoder::read_one(BitReader& in, Scratch& scratch, unsigned& at) const {
  in.fill();
  const SymbolLookup symbol = symbols_.find(in.upcoming());
  if (symbol.bits == 0) return false;
  at += symbol.advance;
  scratch.levels[at] = static_cast<std::int16_t>(value_in(in.upcoming(), symbol));
  scratch.is_wide = scratch.is_wide || symbol.value_bits > kMaxNumberBits;
  in.consume(symbol.bits);
  return at < kBlockSize || at >= kEobAdvance;
}

IMGPRESS_INLINE bool AcDecoder::read(BitReader& in, Scratch& scratch) const {
  constexpr unsigned kLast = kBlockSize - 1;
  std::int16_t* const levels = scratch.levels;
  unsigned at = 0;
  std::uint64_t before = 0;
  bool stopped = look_up<kFirstLookups>(in, levels, at, before);
  while (true) {
    while (!stopped) {
      in.fill();
      stopped = look_up<kLookups>(in, levels, at, before);
    }
    if (at == kLast || (at >= kEobAdvance && at < kNotFound)) return true;
    // Not found, or the second of two symbols belongs to the next block.
    const std::size_t index = before >> (64 - kPeekBits);
    at -= lookups_[index].advance;
    in.take_back(before, bits_[index]);
    if (!read_one(in, scratch, at)) return false;
    if (at >= kLast) return true;
    stopped = false;
  }
}

}  // namespace imgpress::press
