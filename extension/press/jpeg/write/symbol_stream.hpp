// The symbols of a scan, buffered between two passes: the Huffman codes can only be chosen once all
// symbols have been counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "press/jpeg/huffman_code.hpp"
#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

// Huffman codes of a scan: two for DC, two for AC.
constexpr std::size_t kCodeTables = 4;

// The most extra bits behind a code, and the most bits of both.
constexpr unsigned kMaxExtraBits = kMaxDcBits;
constexpr unsigned kMaxSymbolBits = kMaxCodeBits + kMaxExtraBits;

// The Huffman codes of a scan as lookup tables for writing.
class HuffmanEncoder {
 public:
  void set_table(std::size_t table, const HuffmanCode& code);

  // `bits`: the symbol's code, with zeros in place of the extra bits; `count`: of both together.
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
  // Memory for up to `count` more symbols, each with its table << 8. close() takes the end of those
  // that were written.
  PackedSymbol* open(std::size_t count);
  void close(const PackedSymbol* end);

  // Counts what was written between the last open() and close().
  void count();

  // How often each symbol of a table occurs, of those that were counted.
  SymbolCounts counts(std::size_t table) const;

  // The symbols lie in chunks, so that none are copied or have memory twice as they get more.
  struct Chunk {
    std::unique_ptr<PackedSymbol[]> symbols;
    std::size_t capacity;
    std::size_t size;

    PackedSymbol* begin() { return symbols.get(); }
    const PackedSymbol* begin() const { return symbols.get(); }
    const PackedSymbol* end() const { return symbols.get() + size; }
  };
  std::vector<Chunk>& chunks() { return chunks_; }
  const std::vector<Chunk>& chunks() const { return chunks_; }

 private:
  std::vector<Chunk> chunks_;
  std::size_t opened_ = 0;  // in the last chunk
  // Of every other symbol: the same one often follows, and its count would have to wait until it is
  // stored.
  using Counts = std::array<SymbolCounts, kCodeTables>;
  std::array<Counts, 2> counts_{};
};

// The most symbols in a block: 64 coefficients, 3 runs of sixteen zeros, and the end of block.
constexpr std::size_t kMaxBlockSymbols = 68;

}  // namespace imgpress::press
