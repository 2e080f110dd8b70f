#include "core/input/first_occurrences.hpp"

#include <algorithm>

namespace imgpress {
namespace {

constexpr std::size_t kInitialSize = 64;  // a power of two, and doubled from there

}  // namespace

std::int32_t FirstOccurrences::find_or_insert(std::string_view text, std::int32_t position) {
  if (2 * hashes_.size() >= slots_.size()) grow();
  const KeyedHash hash = keyed_hash(key_, text);
  std::uint32_t& slot = slots_[slot_of(hash)];
  if (slot != 0) return positions_[slot - 1];
  hashes_.push_back(hash);
  positions_.push_back(position);
  slot = static_cast<std::uint32_t>(hashes_.size());
  return 0;
}

// The slot with this hash, or the free slot where it belongs.
std::size_t FirstOccurrences::slot_of(const KeyedHash& hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = hash.low & mask;
  while (slots_[i] != 0 && !(hashes_[slots_[i] - 1] == hash)) i = (i + 1) & mask;
  return i;
}

void FirstOccurrences::grow() {
  slots_.assign(std::max(kInitialSize, 2 * slots_.size()), 0);
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    slots_[slot_of(hashes_[i])] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace imgpress
