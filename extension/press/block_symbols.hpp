// How often each Huffman symbol of a baseline JPEG occurs. libjpeg finds this out by coding the
// whole picture once for nothing, coefficient by coefficient; visiting only the non-zero ones takes
// a small part of that time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace imgpress::press {

using SymbolCounts = std::array<std::uint32_t, 256>;

// The two symbols that stand for no coefficient; all others are zeros before it * 16 + its bits.
constexpr std::size_t kEndOfBlock = 0x00;
constexpr std::size_t kSixteenZeros = 0xF0;

// Place in the block (row by row) of each coefficient in coding order (diagonal by diagonal).
extern const std::array<std::uint8_t, 64> kZigzag;

// One bit for each non-zero coefficient of a block: bit n for the one that is coded nth.
std::uint64_t nonzero_in_coding_order(const std::int16_t* block);

// Bits that a coefficient's magnitude takes.
inline int magnitude_bits(int value) {
  const int magnitude = value < 0 ? -value : value;
  return magnitude == 0 ? 0 : 32 - __builtin_clz(static_cast<unsigned>(magnitude));
}

// The symbols of the 63 coefficients behind the first one, of `count` blocks in a row.
void count_ac_symbols(const std::int16_t* blocks, std::size_t count, SymbolCounts& counts);

// The symbol of one step of the first coefficient from block to block.
void count_dc_symbol(int difference, SymbolCounts& counts);

// Blocks that only fill up the edge of a picture: no step, and nothing behind it.
void count_padding_blocks(std::uint32_t count, SymbolCounts& dc, SymbolCounts& ac);

// From counts of a sample to those of a picture: every symbol that 8-bit samples can lead to counts
// as seen a sixteenth of a time at least, so that a code for all of them has one for each.
void admit_all_dc_symbols(SymbolCounts& counts);
void admit_all_ac_symbols(SymbolCounts& counts);

}  // namespace imgpress::press
