#include "press/jpeg/read/ac_decoder.hpp"

namespace imgpress::press {

std::optional<AcDecoder> AcDecoder::make(const HuffmanCode& code) {
  const std::optional<HuffmanDecoder> symbols =
      HuffmanDecoder::make(SymbolKind::kAc, kMaxLevelBits, code);
  if (!symbols) return std::nullopt;
  std::optional<AcDecoder> decoder(std::in_place);
  decoder->symbols_ = *symbols;
  for (std::size_t i = 0; i < decoder->lookups_.size(); ++i) {
    const std::uint64_t upcoming = std::uint64_t{i} << (64 - kPeekBits);
    const SymbolLookup& first = symbols->peek(upcoming);
    if (!decoder->set_last(i, first)) continue;
    if (first.advance == kEobAdvance || first.bits > kPeekBits) continue;
    decoder->set_last(i, symbols->peek(upcoming << first.bits));
  }
  return decoder;
}

// Adds a symbol behind the one, if any, that is known from the bits of `index`. False if it cannot
// be looked up.
bool AcDecoder::set_last(std::size_t index, const SymbolLookup& symbol) {
  const unsigned first_bits = bits_[index];
  const unsigned bits = first_bits + symbol.bits;
  const bool is_whole = bits <= kPeekBits;
  const unsigned number_bits = is_whole ? 0 : symbol.value_bits;
  if (symbol.bits == 0 || bits - number_bits > kPeekBits || symbol.value_bits > kMaxNumberBits)
    return false;
  const std::uint64_t upcoming = std::uint64_t{index} << (64 - kPeekBits) << first_bits;
  Lookup& found = lookups_[index];
  const bool is_first = first_bits == 0;
  found.first_level = found.last_level;
  found.first_advance = is_first ? symbol.advance : found.advance;
  found.advance = static_cast<std::uint8_t>(symbol.advance + (is_first ? 0 : found.advance));
  found.number_bits = static_cast<std::uint8_t>(number_bits);
  found.last_level =
      static_cast<std::int16_t>(is_whole ? value_in(upcoming, symbol) : symbol.negative_offset);
  bits_[index] = static_cast<std::uint8_t>(bits);
  return true;
}

}  // namespace imgpress::press
