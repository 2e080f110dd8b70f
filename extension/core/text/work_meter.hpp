// Counts the bytes of input that have been read; every loop over input reports to it. The total
// lets tests check that the work is linear, and the callback lets PostgreSQL interrupt it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgpress {

class WorkMeter {
 public:
  using Checkpoint = void (*)();  // may throw, to abort the work

  static constexpr std::size_t kBytesBetweenCheckpoints = std::size_t{64} * 1024;
  static constexpr std::size_t kPieceBytes = 4096;  // how much a loop reports at a time

  explicit WorkMeter(Checkpoint checkpoint = nullptr) : checkpoint_(checkpoint) {}

  // REQUIRES: bytes <= kBytesBetweenCheckpoints, so that no interrupt waits for long.
  void add(std::size_t bytes) {
    total_ += bytes;
    if (total_ < next_checkpoint_) return;
    next_checkpoint_ = total_ + kBytesBetweenCheckpoints;
    if (checkpoint_ != nullptr) checkpoint_();
  }

  std::uint64_t total() const { return total_; }

 private:
  Checkpoint checkpoint_;
  std::uint64_t total_ = 0;
  std::uint64_t next_checkpoint_ = kBytesBetweenCheckpoints;
};

}  // namespace imgpress
