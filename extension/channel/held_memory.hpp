// Sealed memory that counts as its holder's until it is let go of, wherever it has been moved to.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "channel/unique_fd.hpp"

namespace imgpress {

// Bytes of all the memory that an owner of presses holds.
struct MemoryLedger {
  std::uint64_t held = 0;
  std::uint64_t set_aside = 0;  // of these: see HeldMemory::set_aside()
};

class HeldMemory {
 public:
  HeldMemory() = default;
  // `bytes`: its size. Without a ledger nothing is counted.
  HeldMemory(UniqueFd fd, std::uint64_t bytes = 0, std::shared_ptr<MemoryLedger> ledger = nullptr)
      : fd_(std::move(fd)), bytes_(bytes), ledger_(std::move(ledger)) {
    if (ledger_) ledger_->held += bytes_;
  }
  HeldMemory(HeldMemory&& other) noexcept = default;
  HeldMemory& operator=(HeldMemory&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(bytes_, other.bytes_);
    std::swap(ledger_, other.ledger_);
    std::swap(is_set_aside_, other.is_set_aside_);
    return *this;
  }
  ~HeldMemory() {
    if (!ledger_) return;
    ledger_->held -= bytes_;
    if (is_set_aside_) ledger_->set_aside -= bytes_;
  }

  int get() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  const std::shared_ptr<MemoryLedger>& ledger() const { return ledger_; }

  // Nobody works on it, and it is not known when it will be let go of.
  void set_aside() {
    if (ledger_ && !std::exchange(is_set_aside_, true)) ledger_->set_aside += bytes_;
  }

 private:
  UniqueFd fd_;
  std::uint64_t bytes_ = 0;
  std::shared_ptr<MemoryLedger> ledger_;
  bool is_set_aside_ = false;
};

}  // namespace imgpress
