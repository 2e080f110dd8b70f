#include "press/jpeg/write/symbol_stream.hpp"

#include <algorithm>
#include <new>

namespace imgpress::press {

void HuffmanEncoder::use(std::size_t table, const HuffmanCode& code) {
  std::uint32_t next = 0;
  std::size_t place = 0;
  for (std::uint32_t length = 1; length < code.lengths.size(); ++length, next <<= 1) {
    for (int i = 0; i < code.lengths[length]; ++i, ++next) {
      const unsigned symbol = code.symbols[place++];
      const unsigned size = number_bits(symbol);
      entries_[table * 256 + symbol] = next << size << kCountBits | (length + size);
    }
  }
}

PackedSymbol* SymbolStream::open(std::size_t count) {
  if (room_ - size_ < count) {
    const std::size_t room = room_ + std::max(room_, count);
    void* grown = std::realloc(symbols_.get(), room * sizeof(PackedSymbol));
    if (grown == nullptr) throw std::bad_alloc();
    static_cast<void>(symbols_.release());
    symbols_.reset(static_cast<PackedSymbol*>(grown));
    room_ = room;
  }
  return symbols_.get() + size_;
}

}  // namespace imgpress::press
