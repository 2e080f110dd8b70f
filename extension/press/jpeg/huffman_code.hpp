// Huffman codes as JPEG files define them, and the optimal one for given symbol counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "press/jpeg/symbols.hpp"

namespace imgpress::press {

// What a code is for, numbered as in DHT segments.
enum class CodeClass : std::uint8_t { kDc = 0, kAc = 1 };

constexpr unsigned kMaxCodeBits = 16;

// The contents of a DHT segment. Codes have up to 16 bits; the code of all ones is reserved.
struct HuffmanCode {
  std::array<std::uint8_t, 17> lengths{};   // how many codes have 1 to 16 bits; [0] is unused
  std::array<std::uint8_t, 256> symbols{};  // by increasing length of their codes

  bool operator==(const HuffmanCode& other) const {
    return lengths == other.lengths && symbols == other.symbols;
  }
};

// Calls visit(symbol, bits of its code) for every symbol that has one, in the order of the codes.
template <typename Visit>
void visit_codes(const HuffmanCode& code, Visit visit) {
  std::size_t place = 0;
  for (unsigned length = 1; length < code.lengths.size(); ++length) {
    for (int i = 0; i < code.lengths[length]; ++i) visit(code.symbols[place++], length);
  }
}

// Has a code for every symbol whose count is not 0. There must be at least one.
HuffmanCode optimal_huffman_code(const SymbolCounts& counts);

}  // namespace imgpress::press
