// SipHash-2-4 with a 128-bit result (Aumasson and Bernstein, 2012): a keyed hash. Without the key
// nobody can construct two texts with the same hash, so equal hashes may be taken for equal texts.
#pragma once

#include <cstdint>
#include <string_view>

namespace imgpress {

struct HashKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

struct KeyedHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const KeyedHash& other) const { return low == other.low && high == other.high; }
};

KeyedHash keyed_hash(const HashKey& key, std::string_view text);

}  // namespace imgpress
