// Writes the Huffman-coded data of a scan.
#pragma once

#include <cstddef>

#include "press/jpeg/write/segment_writer.hpp"
#include "press/jpeg/write/symbol_stream.hpp"

namespace imgpress::press {

// Appends the data of a scan to `file`. False once the file has `size_limit` bytes or more.
bool pack_symbols(const SymbolStream& symbols, const HuffmanEncoder& codes, std::size_t size_limit,
                  SegmentWriter& file);

}  // namespace imgpress::press
