#include "press/jpeg/write/symbol_stream.hpp"

#include <algorithm>

namespace imgpress::press {
namespace {

constexpr std::size_t kChunkSymbols = 64 << 10;

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
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().size < count) {
    // Far fewer symbols are written than there is room for, so most of the memory gets used.
    const std::size_t capacity = std::max(kChunkSymbols, 4 * count);
    chunks_.push_back({std::unique_ptr<PackedSymbol[]>(new PackedSymbol[capacity]), capacity, 0});
  }
  opened_ = chunks_.back().size;
  return chunks_.back().symbols.get() + opened_;
}

void SymbolStream::close(const PackedSymbol* end) {
  chunks_.back().size = static_cast<std::size_t>(end - chunks_.back().begin());
}

void SymbolStream::count() {
  const Chunk& chunk = chunks_.back();
  count_symbols(chunk.begin() + opened_, chunk.end(), counts_);
}

}  // namespace imgpress::press
