// Decodes Huffman codes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

// What the symbols of a code say: DC differences, the AC levels of a block of a sequential file, or
// those of a band of a progressive one, where an end of block may count for many blocks.
enum class SymbolKind : std::uint8_t { kDc, kAc, kBand };

// The advance of an end-of-block symbol: beyond the end of the block from any index in it. Modulo
// the block's size it is 1, so that the reader may store its value (0) without a check of its own.
constexpr unsigned kEobAdvance = 2 * kBlockSize + 1;

// A decoded symbol, split into what readers need.
struct SymbolLookup {
  SymbolLookup() = default;
  SymbolLookup(SymbolKind kind, unsigned max_value_bits, std::uint8_t symbol, unsigned code_bits);

  std::uint8_t bits = 0;        // of the code and its extra bits; 0: not found
  std::uint8_t value_bits = 0;  // extra bits
  std::uint8_t advance = 0;     // from the index of the previous coefficient to that of this one
  std::int16_t least_positive = 0;   // extra bits below this stand for negative values
  std::int16_t negative_offset = 0;  // the value when all extra bits are 0
};

// The value in the extra bits behind the code at the top of `upcoming` (ITU-T T.81, F.2.2.1:
// EXTEND). Of an end of block in a band: how many blocks it is for.
IMGPRESS_INLINE int value_in(std::uint64_t upcoming, const SymbolLookup& lookup) {
  const auto low_bits = static_cast<std::uint32_t>(upcoming >> (-unsigned{lookup.bits} & 63));
  const auto number = static_cast<int>(low_bits & ((1U << lookup.value_bits) - 1));
  return number + ((number - lookup.least_positive) >> 31 & lookup.negative_offset);
}

class HuffmanDecoder {
 public:
  // `max_value_bits`: symbols of larger values are not found. std::nullopt if the code is invalid.
  static std::optional<HuffmanDecoder> make(SymbolKind kind, unsigned max_value_bits,
                                            const HuffmanCode& code);

  // Fast path: looks the first bits up in a table. Not found if the code is longer than the table's
  // index. Both functions take at least kMaxCodeBits bits, from the most significant bit down.
  IMGPRESS_INLINE const SymbolLookup& peek(std::uint64_t upcoming) const {
    return peek_table_[upcoming >> (64 - kPeekBits)];
  }

  // Either way.
  IMGPRESS_INLINE SymbolLookup find(std::uint64_t upcoming) const {
    const SymbolLookup& found = peek(upcoming);
    return found.bits != 0 ? found : search(upcoming);
  }

  // Slow path for codes that are longer than the peek table's index. Not found if there is no such
  // code, or if its symbol cannot occur.
  SymbolLookup search(std::uint64_t upcoming) const;

 private:
  static constexpr unsigned kPeekBits = 10;

  SymbolKind kind_ = SymbolKind::kAc;
  unsigned max_value_bits_ = 0;
  std::array<SymbolLookup, 1U << kPeekBits> peek_table_{};
  std::array<std::uint32_t, kMaxCodeBits + 1> limits_{};  // for each length, the last code + 1
  std::array<std::uint32_t, kMaxCodeBits + 1>
      offsets_{};  // for each length, from codes to indices in symbols_
  std::array<std::uint8_t, 256> symbols_{};
};

}  // namespace imgpress::press
