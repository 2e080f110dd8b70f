#include "press/jpeg/write/symbol_stream.hpp"

#include <algorithm>
#include <new>

namespace imgpress::press {
namespace {

IMGPRESS_CPU_TARGETS
void count_symbols(const PackedSymbol* symbol, const PackedSymbol* end,
                   std::array<SymbolCounts, kCodeTables>& counts) {
  static_assert(sizeof counts == kCodeTables * 256 * sizeof(std::uint32_t));
  std::uint32_t* const flat = counts[0].data();
  for (; symbol < end; ++symbol) ++flat[*symbol % (kCodeTables * 256)];
}

}  // namespace

void HuffmanEncoder::set_table(std::size_t table, const HuffmanCode& code) {
  std::uint32_t next = 0;
  std::size_t place = 0;
  for (std::uint32_t length = 1; length < code.lengths.size(); ++length, next <<= 1) {
    for (int i = 0; i < code.lengths[length]; ++i, ++next) {
      const unsigned symbol = code.symbols[place++];
      const unsigned size = extra_bits(symbol);
      entries_[table * 256 + symbol] = next << size << kCountBits | (length + size);
    }
  }
}

PackedSymbol* SymbolStream::open(std::size_t count) {
  if (capacity_ - size_ < count) {
    const std::size_t capacity = capacity_ + std::max(capacity_, count);
    void* grown = std::realloc(symbols_.get(), capacity * sizeof(PackedSymbol));
    if (grown == nullptr) throw std::bad_alloc();
    static_cast<void>(symbols_.release());
    symbols_.reset(static_cast<PackedSymbol*>(grown));
    capacity_ = capacity;
  }
  return symbols_.get() + size_;
}

void SymbolStream::count(std::size_t first) {
  count_symbols(begin() + first, end(), counts_);
}

}  // namespace imgpress::press
