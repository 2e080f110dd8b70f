#include "press/jpeg/write/symbol_stream.hpp"

#include <algorithm>

namespace imgpress::press {
namespace {

constexpr std::size_t kChunkSymbols = 64 << 10;

constexpr std::size_t kCounts = kCodeTables * 256;

IMGPRESS_CPU_TARGETS
void count_symbols(const PackedSymbol* symbol, const PackedSymbol* end, std::uint32_t* even,
                   std::uint32_t* odd) {
  for (; end - symbol >= 2; symbol += 2) {
    ++even[symbol[0] % kCounts];
    ++odd[symbol[1] % kCounts];
  }
  if (symbol < end) ++even[*symbol % kCounts];
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
  static_assert(sizeof(Counts) == kCounts * sizeof(std::uint32_t));
  count_symbols(chunk.begin() + opened_, chunk.end(), counts_[0][0].data(), counts_[1][0].data());
}

SymbolCounts SymbolStream::counts(std::size_t table) const {
  SymbolCounts sum = counts_[0][table];
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += counts_[1][table][i];
  return sum;
}

}  // namespace imgpress::press
