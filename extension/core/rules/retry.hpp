// When to try again: pure arithmetic, so that it can be tested without a clock.
#pragma once

#include <cstdint>

namespace imgpress {

// Exponential backoff with full-range jitter of +-25 %: base * 2^(failed_attempts - 1), at most
// `max_ms`, never earlier than `retry_after_ms` (what the server asked for, itself capped to
// `max_ms`). `unit_random` is uniform in [0, 1). REQUIRES: failed_attempts >= 1.
std::int64_t retry_delay_ms(int failed_attempts, std::int64_t base_ms, std::int64_t max_ms,
                            std::int64_t retry_after_ms, double unit_random);

}  // namespace imgpress
