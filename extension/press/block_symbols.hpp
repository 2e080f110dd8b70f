// How often each Huffman symbol of a baseline JPEG occurs. libjpeg finds this out by coding the
// whole picture once for nothing, coefficient by coefficient; visiting only the non-zero ones takes
// a small part of that time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace imgpress::press {

using SymbolCounts = std::array<std::uint32_t, 256>;

// The symbols of the 63 coefficients behind the first one, of `count` blocks in a row.
void count_ac_symbols(const std::int16_t* blocks, std::size_t count, SymbolCounts& counts);

// The symbol of one step of the first coefficient from block to block.
void count_dc_symbol(int difference, SymbolCounts& counts);

// Blocks that only fill up the edge of a picture: no step, and nothing behind it.
void count_padding_blocks(std::uint32_t count, SymbolCounts& dc, SymbolCounts& ac);

}  // namespace imgpress::press
