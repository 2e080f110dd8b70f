// Remembers where each distinct text of a long sequence occurred first. Stores hashes instead of
// texts: about 32 bytes for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/keyed_hash.hpp"

namespace imgpress {

class FirstOccurrences {
 public:
  explicit FirstOccurrences(const HashKey& key) : key_(key) {}

  // Returns the position of the same text if it has occurred before; else remembers it at
  // `position` and returns 0. REQUIRES: position > 0.
  std::int32_t find_or_insert(std::string_view text, std::int32_t position);

 private:
  std::size_t slot_of(const KeyedHash& hash) const;
  void grow();

  HashKey key_;
  std::vector<KeyedHash> hashes_;        // of the distinct texts
  std::vector<std::int32_t> positions_;  // of the same texts
  std::vector<std::uint32_t> slots_;     // open addressing: index into hashes_ + 1, 0 if free
};

}  // namespace imgpress
