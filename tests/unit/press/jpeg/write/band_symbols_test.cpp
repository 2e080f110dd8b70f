#include "press/jpeg/write/band_symbols.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

namespace imgpress::press {
namespace {

using Symbols = std::vector<PackedSymbol>;

PackedSymbol symbol_of(int level, int zeros) {
  unsigned size = 0;
  for (int rest = std::abs(level); rest > 0; rest /= 2) ++size;
  const int extra = level > 0 ? level : level + (1 << size) - 1;
  return PackedSymbol(extra) << 16 | PackedSymbol(zeros) << 4 | size;
}

void put_run(int& blocks, Symbols& symbols) {
  if (blocks == 0) return;
  int size = 0;
  while (blocks >> (size + 1) != 0) ++size;
  symbols.push_back(PackedSymbol(blocks - (1 << size)) << 16 | PackedSymbol(size) << 4);
  blocks = 0;
}

// The procedure of the standard, level by level.
Symbols find_slowly(const Plane& plane, Band band, int max_run) {
  Symbols symbols;
  int run = 0;
  for (std::size_t b = 0; b < plane.count(); ++b) {
    int zeros = 0;
    for (int i = band.first; i <= band.last; ++i) {
      const int level = plane.blocks[b].at[i];
      if (level == 0) {
        ++zeros;
        continue;
      }
      put_run(run, symbols);
      for (; zeros > 15; zeros -= 16) symbols.push_back(0xF0);
      symbols.push_back(symbol_of(level, zeros));
      zeros = 0;
    }
    if (zeros > 0 && ++run == max_run) put_run(run, symbols);
  }
  put_run(run, symbols);
  return symbols;
}

Symbols all_of(const SymbolStream& stream) {
  Symbols symbols;
  for (const auto& chunk : stream.chunks()) {
    symbols.insert(symbols.end(), chunk.begin(), chunk.end());
  }
  return symbols;
}

SymbolCounts counts_of(const Symbols& symbols) {
  SymbolCounts counts{};
  for (const PackedSymbol symbol : symbols) ++counts[symbol & 0xFF];
  return counts;
}

// Blocks with levels alternate with runs of blocks that have few or none.
Plane random_plane(std::uint32_t width, std::uint32_t height, unsigned longest, unsigned seed) {
  std::mt19937 random(seed);
  Plane plane;
  plane.width = width;
  plane.height = height;
  plane.make_blocks();
  std::fill_n(plane.blocks.get(), plane.count(), Block{});
  for (std::size_t b = 0; b < plane.count(); b += 1 + random() % longest) {
    const unsigned density = 1 + random() % 64;
    for (auto& level : plane.blocks[b].at) {
      if (random() % 64 < density) level = std::int16_t(int(random() % 2047) - 1023);
    }
    if (random() % 4 == 0) plane.blocks[b].at[9] = plane.blocks[b].at[63] = 1;
  }
  return plane;
}

void check(const Plane& plane) {
  std::vector<BandSymbols> bands;
  for (const Band band : {Band{1, 9}, Band{10, 63}, Band{1, 63}, Band{63, 63}}) {
    bands.emplace_back(band);
  }
  for (std::uint32_t y = 0; y < plane.height; ++y) add_symbols(plane.row(y), plane.width, bands);
  for (BandSymbols& band : bands) {
    const Symbols single = find_slowly(plane, band.band, 1);
    ASSERT_EQ(all_of(band.symbols), single) << int(band.band.first);
    ASSERT_EQ(band.symbols.counts(0), counts_of(single));
    merge_ends(band.symbols);
    const Symbols merged = find_slowly(plane, band.band, int(kMaxEobRun));
    ASSERT_EQ(all_of(band.symbols), merged) << int(band.band.first);
    SymbolCounts counts = counts_of(single);
    counts[kEndOfBlock] = 0;
    band.runs.add_to(counts);
    ASSERT_EQ(counts, counts_of(merged)) << int(band.band.first);
  }
}

TEST(BandSymbols, AgreeWithTheStandardsProcedure) {
  for (unsigned seed = 0; seed < 60; ++seed) check(random_plane(13, 7, 1 + seed % 9, seed));
}

TEST(BandSymbols, RunsReachFromChunkToChunk) {
  for (const unsigned longest : {2U, 60U, 600U}) check(random_plane(300, 250, longest, longest));
}

TEST(BandSymbols, RunsAreNoLongerThanASymbolCanSay) {
  for (const std::uint32_t blocks :
       {kMaxEobRun - 1, kMaxEobRun, kMaxEobRun + 1, 2 * kMaxEobRun, 2 * kMaxEobRun + 5}) {
    Plane plane = random_plane(blocks, 1, 2 * blocks, blocks);
    check(plane);
    clear(plane.blocks[0]);
    check(plane);
  }
}

}  // namespace
}  // namespace imgpress::press
