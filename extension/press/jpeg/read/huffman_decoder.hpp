// The reading side of a Huffman code.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "press/jpeg/coefficients/block.hpp"
#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {

// Ends a block: ahead of all of its places. Modulo its size, a place ahead as any other.
constexpr unsigned kEobAdvance = 2 * kBlockSize + 1;

// What one look at the upcoming bits tells: a symbol, taken apart as its readers need it.
struct SymbolLookup {
  SymbolLookup() = default;
  SymbolLookup(CodeClass kind, std::uint8_t symbol, unsigned code_bits);

  std::uint8_t bits = 0;        // of the code and the number behind it; 0: nothing is known
  std::uint8_t value_bits = 0;  // of the number, in bits
  std::uint8_t advance = 0;     // how many places ahead the number belongs
  std::int16_t least_positive = 0;
  std::int16_t negative_offset = 0;  // what a number of zeros stands for
};

// The number behind the code at the top of `upcoming`.
IMGPRESS_INLINE int value_in(std::uint64_t upcoming, const SymbolLookup& lookup) {
  const auto low_bits = static_cast<std::uint32_t>(upcoming >> (-unsigned{lookup.bits} & 63));
  const auto number = static_cast<int>(low_bits & ((1U << lookup.value_bits) - 1));
  return number + ((number - lookup.least_positive) >> 31 & lookup.negative_offset);
}

class HuffmanDecoder {
 public:
  // Nothing where the code contradicts itself.
  static std::optional<HuffmanDecoder> make(CodeClass kind, const HuffmanCode& code);

  // `upcoming`: at least kMaxCodeBits bits, from the top.
  IMGPRESS_INLINE const SymbolLookup& peek(std::uint64_t upcoming) const {
    return peek_table_[upcoming >> (64 - kPeekBits)];
  }

  // For codes that a glance does not know. Nothing known: there is no such code, or its symbol is
  // none of those that 8-bit samples lead to.
  SymbolLookup search(std::uint64_t upcoming) const;

 private:
  static constexpr unsigned kPeekBits = 10;

  CodeClass kind_ = CodeClass::kAc;
  std::array<SymbolLookup, 1U << kPeekBits> peek_table_{};
  std::array<std::uint32_t, kMaxCodeBits + 1> limits_{};   // the first codes beyond each length
  std::array<std::uint32_t, kMaxCodeBits + 1> offsets_{};  // from codes to places of symbols
  std::array<std::uint8_t, 256> symbols_{};
};

}  // namespace imgpress::press
