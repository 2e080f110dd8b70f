// The symbols of a scan, between the coefficients that they stand for and the bits that they
// become: the codes can only be chosen once all have been seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

// Of a scan: two for first coefficients, two for the others.
constexpr std::size_t kCodeTables = 4;

// Of a code and the number behind it.
constexpr unsigned kMaxExtraBits = kMaxDcBits;
constexpr unsigned kMaxSymbolBits = kMaxCodeBits + kMaxExtraBits;

// The writing side of the Huffman codes of a scan.
class HuffmanEncoder {
 public:
  void set_table(std::size_t table, const HuffmanCode& code);

  // Bits of a symbol's code and of the number behind it; the code stands above zeros for these.
  struct Entry {
    std::uint32_t bits;
    unsigned count;
  };
  IMGPRESS_INLINE Entry operator[](std::size_t table_and_symbol) const {
    const std::uint32_t packed = entries_[table_and_symbol];
    return {packed >> kCountBits, packed & ((1U << kCountBits) - 1)};
  }

 private:
  static constexpr unsigned kCountBits = 5;
  static_assert(kMaxSymbolBits < 1U << kCountBits && kMaxSymbolBits + kCountBits <= 32);

  std::array<std::uint32_t, kCodeTables * 256> entries_{};
};

class SymbolStream {
 public:
  // A place to append up to `count` symbols, each with its table << 8. What was written there up to
  // `end` stays.
  PackedSymbol* open(std::size_t count);
  void close(const PackedSymbol* end) { size_ = static_cast<std::size_t>(end - symbols_.get()); }

  // Of each symbol of each table; whoever appends counts.
  SymbolCounts& counts(std::size_t table) { return counts_[table]; }

  const PackedSymbol* begin() const { return symbols_.get(); }
  const PackedSymbol* end() const { return symbols_.get() + size_; }

 private:
  struct Free {
    void operator()(PackedSymbol* symbols) const { std::free(symbols); }
  };

  std::unique_ptr<PackedSymbol, Free> symbols_;  // never written before they are used
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::array<SymbolCounts, kCodeTables> counts_{};
};

// Sink for the symbols of one table: `next` is where the next one goes.
template <bool kCounted>
struct SymbolSink {
  PackedSymbol*& next;
  SymbolCounts& counts;
  std::size_t table;

  IMGPRESS_INLINE void put(PackedSymbol symbol) {
    *next++ = symbol | static_cast<PackedSymbol>(table) << 8;
    if (kCounted) ++counts[symbol & 0xFF];
  }
};

// A block takes no more symbols: 64 numbers, and three times sixteen zeros.
constexpr std::size_t kMaxBlockSymbols = 68;

}  // namespace imgpress::press
