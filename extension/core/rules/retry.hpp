// How long to wait before another attempt: arithmetic without a clock or a random source.
#pragma once

#include <cstdint>

namespace imgpress {

// Exponential backoff: base * 2^(failures - 1), at most `max_ms`. REQUIRES: failures >= 1.
std::int64_t backoff_ms(int failures, std::int64_t base_ms, std::int64_t max_ms);

// A delay is multiplied by a random factor of this range.
struct Jitter {
  double least = 1;
  double most = 1;
};

// `unit_random` is uniform in [0, 1).
std::int64_t varied_ms(std::int64_t delay_ms, Jitter jitter, double unit_random);

}  // namespace imgpress
