#include "press/jpeg/read/block_decoder.hpp"

#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

std::optional<BlockDecoder> BlockDecoder::make(const HuffmanCode& dc, const HuffmanCode& ac) {
  const std::optional<HuffmanDecoder> dc_symbols =
      HuffmanDecoder::make(SymbolKind::kDc, kMaxDcBits, dc);
  const std::optional<HuffmanDecoder> ac_symbols =
      HuffmanDecoder::make(SymbolKind::kAc, kMaxLevelBits, ac);
  if (!dc_symbols || !ac_symbols) return std::nullopt;
  std::optional<BlockDecoder> decoder(std::in_place);
  decoder->next_ = make_table(*ac_symbols, kMaxNumberBits, *ac_symbols);
  decoder->dc_symbols_ = *dc_symbols;
  decoder->ac_symbols_ = *ac_symbols;
  return decoder;
}

void BlockDecoder::pair_dc_with_ac() {
  first_ = make_table(dc_symbols_, kMaxDcNumberBits, ac_symbols_);
}

// `second`: decodes what follows a symbol of `first`, which has up to `max_first_bits` extra bits.
BlockDecoder::Table BlockDecoder::make_table(const HuffmanDecoder& first, unsigned max_first_bits,
                                             const HuffmanDecoder& second) {
  Table table;
  for (std::size_t i = 0; i < table.lookups.size(); ++i) {
    const std::uint64_t upcoming = std::uint64_t{i} << (64 - kPeekBits);
    const SymbolLookup& symbol = first.peek(upcoming);
    if (!set_last(symbol, max_first_bits, i, table)) continue;
    if (symbol.advance == kEobAdvance || symbol.bits > kPeekBits) continue;
    set_last(second.peek(upcoming << symbol.bits), kMaxNumberBits, i, table);
  }
  return table;
}

// Adds a symbol behind the one, if any, that is known from the bits of `index`. False if it cannot
// be looked up.
bool BlockDecoder::set_last(const SymbolLookup& symbol, unsigned max_number_bits, std::size_t index,
                            Table& table) {
  const unsigned first_bits = table.bits[index];
  const unsigned bits = first_bits + symbol.bits;
  const bool is_whole = bits <= kPeekBits;
  const unsigned number_bits = is_whole ? 0 : symbol.value_bits;
  if (symbol.bits == 0 || bits - number_bits > kPeekBits || symbol.value_bits > max_number_bits)
    return false;
  const std::uint64_t upcoming = std::uint64_t{index} << (64 - kPeekBits) << first_bits;
  Lookup& found = table.lookups[index];
  const bool is_first = first_bits == 0;
  found.first_level = found.last_level;
  found.first_advance = is_first ? symbol.advance : found.advance;
  found.advance = static_cast<std::uint8_t>(symbol.advance + (is_first ? 0 : found.advance));
  found.number_mask = static_cast<std::uint16_t>((1U << number_bits) - 1);
  found.last_level =
      static_cast<std::int16_t>(is_whole ? value_in(upcoming, symbol) : symbol.negative_offset);
  table.bits[index] = static_cast<std::uint8_t>(bits);
  return true;
}

}  // namespace imgpress::press
