// SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, 2012): a keyed hash. Who does not
// know the key cannot find two texts with one hash, so that equal hashes mean equal texts.
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
