// How slow a client may be.
#pragma once

#include <chrono>
#include <cstdint>

namespace imgpress::gateway {

class Pace {
 public:
  // True if the client is slower than 16 kB/s, not counting its first 30 seconds. `bytes` were
  // transferred since the Pace was made.
  bool too_slow(std::uint64_t bytes) const {
    return Clock::now() - start_ > std::chrono::seconds(30 + bytes / (16UL * 1024));
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

}  // namespace imgpress::gateway
