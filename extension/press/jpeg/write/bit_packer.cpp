#include "press/jpeg/write/bit_packer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

// Symbols that are packed at a time, into memory that stays in the nearest cache.
constexpr std::ptrdiff_t kAtOnce = 4096;

// The bits that do not make a whole byte yet, uppermost.
struct Rest {
  std::uint64_t bits = 0;
  unsigned count = 0;  // 0 to 7
};

IMGPRESS_INLINE void add(std::uint64_t bits, unsigned count, Rest& rest) {
  rest.count += count;
  rest.bits |= bits << (64 - rest.count);
}

// Writes all whole bytes, and what lies behind them up to eight: that is overwritten later.
IMGPRESS_INLINE void store(Rest& rest, std::uint8_t*& to) {
  std::uint64_t word = rest.bits;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  std::memcpy(to, &word, sizeof word);
  to += rest.count / 8;
  rest.bits <<= rest.count & 56;
  rest.count &= 7;
}

// Returns the end of the bytes.
IMGPRESS_CPU_TARGETS
std::uint8_t* pack(const PackedSymbol* symbol, const PackedSymbol* end, const HuffmanEncoder& codes,
                   Rest& carried, std::uint8_t* to) {
  Rest rest = carried;
  for (; symbol < end; ++symbol) {
    const HuffmanEncoder::Entry entry = codes[*symbol & 0x3FF];
    add(entry.bits | *symbol >> 16, entry.count, rest);
    store(rest, to);
  }
  carried = rest;
  return to;
}

}  // namespace

bool pack_symbols(const SymbolStream& symbols, const HuffmanEncoder& codes, std::size_t size_limit,
                  SegmentWriter& file) {
  std::uint8_t bytes[kAtOnce * kMaxSymbolBits / 8 + sizeof(std::uint64_t) + 1];
  Rest rest;
  for (const PackedSymbol* from = symbols.begin(); from < symbols.end();) {
    const PackedSymbol* const to = from + std::min(kAtOnce, symbols.end() - from);
    const std::uint8_t* const end = pack(from, to, codes, rest, bytes);
    file.put_coded({bytes, static_cast<std::size_t>(end - bytes)});
    if (file.size() >= size_limit) return false;
    from = to;
  }
  add(0x7F, 7, rest);  // ones fill the last byte up
  const auto last = static_cast<std::uint8_t>(rest.bits >> 56);
  if (rest.count >= 8) file.put_coded({&last, 1});
  return file.size() < size_limit;
}

}  // namespace imgpress::press
