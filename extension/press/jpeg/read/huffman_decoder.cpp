#include "press/jpeg/read/huffman_decoder.hpp"

#include <algorithm>
#include <numeric>

#include "press/jpeg/symbols.hpp"

namespace imgpress::press {
namespace {

constexpr unsigned kMaxDcSymbol = 15;

}  // namespace

SymbolLookup::SymbolLookup(SymbolKind kind, unsigned max_value_bits, std::uint8_t symbol,
                           unsigned code_bits) {
  const bool is_dc = kind == SymbolKind::kDc;
  const unsigned size = is_dc ? symbol : symbol % 16;
  if (size > max_value_bits) return;
  advance = static_cast<std::uint8_t>(is_dc ? 0 : symbol / 16 + 1);
  value_bits = static_cast<std::uint8_t>(size);
  least_positive = static_cast<std::int16_t>((1 << size) / 2);
  negative_offset = static_cast<std::int16_t>(1 - (1 << size));
  if (!is_dc && size == 0 && symbol != kSixteenZeros) {
    if (kind == SymbolKind::kAc && symbol != kEndOfBlock) return;
    advance = kEobAdvance;
    if (kind == SymbolKind::kBand) {  // a run of at least 1 << value_bits blocks
      value_bits = symbol / 16;
      least_positive = negative_offset = static_cast<std::int16_t>(1 << value_bits);
    }
  }
  bits = static_cast<std::uint8_t>(code_bits + value_bits);
}

std::optional<HuffmanDecoder> HuffmanDecoder::make(SymbolKind kind, unsigned max_value_bits,
                                                   const HuffmanCode& code) {
  const std::size_t count =
      std::accumulate(code.lengths.begin(), code.lengths.end(), std::size_t{0});
  if (count > code.symbols.size()) return std::nullopt;
  HuffmanDecoder decoder;
  decoder.kind_ = kind;
  decoder.max_value_bits_ = max_value_bits;
  decoder.symbols_ = code.symbols;
  unsigned next = 0;  // the next code to assign
  unsigned index = 0;
  for (unsigned bits = 1; bits <= kMaxCodeBits; ++bits, next <<= 1) {
    decoder.offsets_[bits] = index - next;
    for (unsigned i = 0; i < code.lengths[bits]; ++i, ++next, ++index) {
      if (next + 1 >= 1U << bits) return std::nullopt;  // all ones are reserved
      if (kind == SymbolKind::kDc && code.symbols[index] > kMaxDcSymbol) return std::nullopt;
      if (bits > kPeekBits) continue;
      const unsigned free = kPeekBits - bits;
      std::fill_n(decoder.peek_table_.begin() + (next << free), 1U << free,
                  SymbolLookup(kind, max_value_bits, code.symbols[index], bits));
    }
    decoder.limits_[bits] = next;
  }
  return decoder;
}

SymbolLookup HuffmanDecoder::search(std::uint64_t upcoming) const {
  for (unsigned bits = 1; bits <= kMaxCodeBits; ++bits) {
    const auto code = static_cast<std::uint32_t>(upcoming >> (64 - bits));
    if (code < limits_[bits]) {
      return {kind_, max_value_bits_, symbols_[(code + offsets_[bits]) % symbols_.size()], bits};
    }
  }
  return {};
}

}  // namespace imgpress::press
