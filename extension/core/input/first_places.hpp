// Where each text of a long sequence was first seen. Keeps hashes, not texts: about 32 bytes for
// each different text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/keyed_hash.hpp"

namespace imgpress {

class FirstPlaces {
 public:
  explicit FirstPlaces(const HashKey& key) : key_(key) {}

  // Returns the place at which this very text was noted before, or 0 after having noted it at
  // `place`. REQUIRES: place > 0.
  std::int32_t find_or_note(std::string_view text, std::int32_t place);

 private:
  std::size_t slot_of(const KeyedHash& hash) const;
  void grow();

  HashKey key_;
  std::vector<KeyedHash> hashes_;     // of the different texts
  std::vector<std::int32_t> places_;  // of the same texts
  std::vector<std::uint32_t> slots_;  // open addressing: index into hashes_ + 1, 0 where free
};

}  // namespace imgpress
