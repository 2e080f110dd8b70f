#include "core/input/first_places.hpp"

#include <algorithm>

namespace imgpress {
namespace {

constexpr std::size_t kFirstSize = 64;  // a power of two, like every later one

}  // namespace

std::int32_t FirstPlaces::find_or_note(std::string_view text, std::int32_t place) {
  if (2 * hashes_.size() >= slots_.size()) grow();
  const KeyedHash hash = keyed_hash(key_, text);
  std::uint32_t& slot = slots_[slot_of(hash)];
  if (slot != 0) return places_[slot - 1];
  hashes_.push_back(hash);
  places_.push_back(place);
  slot = static_cast<std::uint32_t>(hashes_.size());
  return 0;
}

// The slot that holds this hash, or the free one where it belongs.
std::size_t FirstPlaces::slot_of(const KeyedHash& hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = hash.low & mask;
  while (slots_[i] != 0 && !(hashes_[slots_[i] - 1] == hash)) i = (i + 1) & mask;
  return i;
}

void FirstPlaces::grow() {
  slots_.assign(std::max(kFirstSize, 2 * slots_.size()), 0);
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    slots_[slot_of(hashes_[i])] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace imgpress
