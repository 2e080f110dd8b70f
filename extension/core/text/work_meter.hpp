// How much of the input has been looked at: every loop over it says so here. That shows whether the
// work grows like the input, and gives the caller its turn often enough to be interrupted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgpress {

class WorkMeter {
 public:
  using Pause = void (*)();  // may throw, which ends the work

  static constexpr std::size_t kBytesBetweenPauses = std::size_t{64} * 1024;
  static constexpr std::size_t kPieceBytes = 4096;  // how much a loop reports at a time

  explicit WorkMeter(Pause pause = nullptr) : pause_(pause) {}

  // REQUIRES: bytes <= kBytesBetweenPauses, so that no pause is far away.
  void add(std::size_t bytes) {
    total_ += bytes;
    if (total_ < next_pause_) return;
    next_pause_ = total_ + kBytesBetweenPauses;
    if (pause_ != nullptr) pause_();
  }

  std::uint64_t total() const { return total_; }

 private:
  Pause pause_;
  std::uint64_t total_ = 0;
  std::uint64_t next_pause_ = kBytesBetweenPauses;
};

}  // namespace imgpress
