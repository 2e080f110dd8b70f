#include "press/jpeg/write/bit_packer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "press/jpeg/cpu_targets.hpp"

namespace imgpress::press {
namespace {

// Symbols are packed in batches, so that the buffer stays in the L1 cache.
constexpr std::ptrdiff_t kBatch = 4096;

// Bits that do not fill a byte yet: the last `count` of `bits`. What is above them is garbage.
struct PendingBits {
  std::uint64_t bits = 0;
  unsigned count = 0;  // 0 to 7
};

IMGPRESS_INLINE void add(std::uint64_t bits, unsigned count, PendingBits& pending) {
  pending.bits = pending.bits << count | bits;
  pending.count += count;
}

IMGPRESS_INLINE void add(PackedSymbol symbol, const HuffmanEncoder& codes, PendingBits& pending) {
  const HuffmanEncoder::Entry entry = codes[symbol & 0x3FF];
  add(entry.bits | symbol >> 16, entry.count, pending);
}

// Writes eight bytes, but advances only over the full ones: the others are overwritten later.
IMGPRESS_INLINE void store(PendingBits& pending, std::uint8_t*& to) {
  std::uint64_t word = pending.bits << (-pending.count & 63);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  std::memcpy(to, &word, sizeof word);
  to += pending.count / 8;
  pending.count &= 7;
}

// Returns the end of the bytes written.
IMGPRESS_CPU_TARGETS
std::uint8_t* pack(const PackedSymbol* symbol, const PackedSymbol* end, const HuffmanEncoder& codes,
                   PendingBits& carried, std::uint8_t* to) {
  PendingBits pending = carried;
  for (; end - symbol >= 2; symbol += 2) {  // both fit
    add(symbol[0], codes, pending);
    add(symbol[1], codes, pending);
    store(pending, to);
  }
  if (symbol < end) {
    add(*symbol, codes, pending);
    store(pending, to);
  }
  carried = pending;
  return to;
}

}  // namespace

bool pack_symbols(const SymbolStream& symbols, const HuffmanEncoder& codes, std::size_t size_limit,
                  SegmentWriter& file) {
  std::uint8_t bytes[kBatch * kMaxSymbolBits / 8 + sizeof(std::uint64_t) + 1];
  PendingBits pending;
  for (const SymbolStream::Chunk& chunk : symbols.chunks()) {
    for (const PackedSymbol* from = chunk.begin(); from < chunk.end();) {
      const PackedSymbol* const to = from + std::min(kBatch, chunk.end() - from);
      const std::uint8_t* const end = pack(from, to, codes, pending, bytes);
      file.put_coded({bytes, static_cast<std::size_t>(end - bytes)});
      if (file.size() >= size_limit) return false;
      from = to;
    }
  }
  add(0x7F, 7, pending);  // the last byte is filled up with ones
  std::uint8_t* end = bytes;
  store(pending, end);
  file.put_coded({bytes, static_cast<std::size_t>(end - bytes)});
  return file.size() < size_limit;
}

}  // namespace imgpress::press
