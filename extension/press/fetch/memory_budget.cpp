#include "press/fetch/memory_budget.hpp"

#include <algorithm>

namespace imgpress::press {

std::uint64_t MemoryBudget::reserve(const Claim& claim) {
  const std::uint64_t bytes = line_.empty() ? grant(claim) : 0;
  if (bytes == 0) {
    line_.push_back(claim);
    if (claim.whole) line_.back().step = claim.rest;
  }
  return bytes;
}

std::optional<MemoryBudget::Granted> MemoryBudget::next() {
  if (line_.empty()) return std::nullopt;
  const std::uint64_t bytes = grant(line_.front());
  if (bytes == 0) return std::nullopt;
  const Granted granted{line_.front().id, bytes};
  line_.pop_front();
  return granted;
}

void MemoryBudget::forget(std::uint64_t id) {
  line_.erase(std::remove_if(line_.begin(), line_.end(),
                             [id](const Claim& claim) { return claim.id == id; }),
              line_.end());
}

// What the owner had room for, less what was reserved or sent to it since.
std::int64_t MemoryBudget::left() const {
  const std::uint64_t on_its_way = handed_over_ - grant_.received;
  return grant_.room - static_cast<std::int64_t>(on_its_way + reserved_);
}

// Nothing that the owner has makes room by itself.
bool MemoryBudget::owner_waits() const {
  return grant_.idle && grant_.received == handed_over_;
}

std::uint64_t MemoryBudget::grant(const Claim& claim) {
  std::uint64_t bytes = 0;
  if (left() >= static_cast<std::int64_t>(claim.step)) {
    bytes = claim.step;
  } else if (left() >= 0 || (beyond_ == 0 && owner_waits())) {
    beyond_ = claim.id;
    bytes = claim.rest;
  }
  reserved_ += bytes;
  return bytes;
}

void MemoryBudget::give_back(std::uint64_t id, std::uint64_t bytes) {
  reserved_ -= bytes;
  if (beyond_ == id && left() >= 0) beyond_ = 0;
}

bool MemoryBudget::lend(std::uint64_t id, std::uint64_t bytes) {
  if (beyond_ == id && left() + static_cast<std::int64_t>(bytes) < 0) return false;
  give_back(id, bytes);
  return true;
}

void MemoryBudget::end(std::uint64_t id, std::uint64_t reserved, std::uint64_t body_bytes) {
  reserved_ -= reserved;
  handed_over_ += body_bytes;
  if (beyond_ == id) beyond_ = 0;
}

}  // namespace imgpress::press
