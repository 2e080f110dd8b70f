#include "core/rules/retry.hpp"

#include <algorithm>

namespace imgpress {

std::int64_t backoff_ms(int failures, std::int64_t base_ms, std::int64_t max_ms) {
  const int doublings = std::clamp(failures - 1, 0, 30);
  return std::min(base_ms << doublings, max_ms);
}

std::int64_t varied_ms(std::int64_t delay_ms, Jitter jitter, double unit_random) {
  const double factor = jitter.least + (jitter.most - jitter.least) * unit_random;
  return static_cast<std::int64_t>(static_cast<double>(delay_ms) * factor);
}

}  // namespace imgpress
