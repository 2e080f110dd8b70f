#include "core/rules/retry.hpp"

#include <algorithm>

namespace imgpress {

std::int64_t retry_delay_ms(int failed_attempts, std::int64_t base_ms, std::int64_t max_ms,
                            std::int64_t retry_after_ms, double unit_random) {
  const int doublings = std::clamp(failed_attempts - 1, 0, 30);
  const std::int64_t backoff = std::min(base_ms << doublings, max_ms);
  const auto jittered =
      static_cast<std::int64_t>(static_cast<double>(backoff) * (0.75 + 0.5 * unit_random));
  return std::max(jittered, std::min(retry_after_ms, max_ms));
}

}  // namespace imgpress
