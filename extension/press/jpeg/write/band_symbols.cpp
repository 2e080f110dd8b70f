#include "press/jpeg/write/band_symbols.hpp"

namespace imgpress::press {
namespace {

static_assert(kEndOfBlock == 0);

// The symbol of an end-of-band run.
IMGPRESS_INLINE PackedSymbol run_symbol(unsigned length) {
  const unsigned size = magnitude_bits(static_cast<int>(length)) - 1;
  return (length - (1U << size)) << 16 | size << 4;
}

IMGPRESS_CPU_TARGETS
void find_levels(const Block* blocks, std::vector<std::uint64_t>& nonzero) {
  for (std::size_t x = 0; x < nonzero.size(); ++x) nonzero[x] = nonzero_in(blocks[x]);
}

// Writes the symbols of a row of blocks; returns their end.
IMGPRESS_CPU_TARGETS
PackedSymbol* write_row(const Block* blocks, const std::vector<std::uint64_t>& nonzero, Band band,
                        EobRuns& all_runs, PackedSymbol* next) {
  const unsigned before = band.first - 1U;
  const std::uint64_t within = bits_between(band.first, band.last);
  const std::uint64_t last = std::uint64_t{1} << band.last;
  EobRuns runs = all_runs;
  for (std::size_t x = 0; x < nonzero.size(); ++x) {
    const std::uint64_t levels = nonzero[x] & within;
    const bool ends = (levels & last) == 0;
    next = write_levels(blocks[x], levels, before, 0, next);
    *next = kEndOfBlock;
    next += ends ? 1 : 0;
    runs.add(levels == 0, ends);
  }
  all_runs = runs;
  return next;
}

// Appends the symbols of a row of blocks.
void add_row(const Block* blocks, const std::vector<std::uint64_t>& nonzero, BandSymbols& band) {
  PackedSymbol* const begin = band.symbols.open(nonzero.size() * kMaxBlockSymbols);
  band.symbols.close(write_row(blocks, nonzero, band.band, band.runs, begin));
  band.symbols.count();
}

}  // namespace

void add_symbols(const Block* blocks, std::size_t count, std::vector<BandSymbols>& bands) {
  std::vector<std::uint64_t> nonzero(count);
  find_levels(blocks, nonzero);
  for (BandSymbols& band : bands) add_row(blocks, nonzero, band);
}

IMGPRESS_CPU_TARGETS
void merge_ends(SymbolStream& symbols) {
  unsigned length = 0;          // of the run that ends here
  PackedSymbol* run = nullptr;  // its symbol, which may be in a chunk before
  for (SymbolStream::Chunk& chunk : symbols.chunks()) {
    PackedSymbol* to = chunk.begin();
    for (const PackedSymbol *from = chunk.begin(), *end = chunk.end(); from < end; ++from) {
      if (*from != kEndOfBlock) {
        *to++ = *from;
        length = 0;
        continue;
      }
      if (length == kMaxEobRun) length = 0;
      if (length++ == 0) run = to++;
      *run = run_symbol(length);
    }
    chunk.size = static_cast<std::size_t>(to - chunk.begin());
  }
}

}  // namespace imgpress::press
