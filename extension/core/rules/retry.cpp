#include "core/rules/retry.hpp"

#include <algorithm>

#include "core/net/retry_after.hpp"

namespace imgpress {
namespace {

constexpr int kGone = 410;

// Delays are multiplied by a random factor from this range, so that what failed together is not
// retried together.
struct Jitter {
  double least;
  double most;
};
constexpr Jitter kImageJitter = {0.75, 1.25};
constexpr Jitter kDeliveryJitter = {1.0, 1.1};  // the schedule is a setting: never earlier

// A fetcher keeps to the longest pause, too, unless somebody has taken it over.
std::int64_t asked_for_ms(const AttemptResult& result) {
  return std::int64_t{1000} * std::min(result.retry_after_seconds, kMaxRetryAfterSeconds);
}

// The failures that the delay grows with.
int failures_of(Ending ending, const ImageVerdict& verdict) {
  switch (ending) {
    case Ending::kInterrupted:
      return verdict.interruptions - 1;  // the first is hardly the fault of the image
    case Ending::kKilledCodec:
      return verdict.codec_crashes;
    default:
      return std::max(1, verdict.failed_attempts);
  }
}

// Exponential backoff: base * 2^(failures - 1), at most `max_ms`; no delay without a failure.
std::int64_t backoff_ms(int failures, std::int64_t base_ms, std::int64_t max_ms) {
  if (failures == 0) return 0;
  const int doublings = std::clamp(failures - 1, 0, 30);
  return std::min(base_ms << doublings, max_ms);
}

std::int64_t varied_ms(std::int64_t delay_ms, Jitter jitter, double unit_random) {
  const double factor = jitter.least + (jitter.most - jitter.least) * unit_random;
  return static_cast<std::int64_t>(static_cast<double>(delay_ms) * factor);
}

}  // namespace

ImageVerdict judge_image(const AttemptResult& result, const AttemptHistory& history,
                         const RetryLimits& limits, double unit_random) {
  ImageVerdict verdict;
  verdict.failed_attempts = history.failed_attempts;
  verdict.codec_crashes = history.codec_crashes;
  bool again = true;
  switch (result.ending) {
    case Ending::kDone:
      return verdict;
    case Ending::kFailed:
      verdict.transient = is_transient(result.fault, result.http_status);
      again = ++verdict.failed_attempts < limits.max_attempts && verdict.transient;
      break;
    case Ending::kKilledCodec:
      again = ++verdict.codec_crashes < kMaxCodecCrashes;
      break;
    case Ending::kInterrupted:
      // It will be alone in the end, which shows whether it is the cause.
      again = !history.alone;
      verdict.interruptions = history.interruptions + 1;
      verdict.transient = again;
      break;
    case Ending::kPostponed:
      verdict.interruptions = history.interruptions;
      verdict.transient = true;
      verdict.counted = false;
      break;
  }
  if (!again) {
    verdict.kind = Verdict::Kind::kGivenUp;
    return verdict;
  }
  verdict.kind = Verdict::Kind::kRetry;
  const std::int64_t delay =
      backoff_ms(failures_of(result.ending, verdict), limits.base_delay_ms, limits.max_delay_ms);
  verdict.retry_delay_ms = std::max(varied_ms(delay, kImageJitter, unit_random),
                                    std::min(asked_for_ms(result), limits.max_delay_ms));
  return verdict;
}

Verdict judge_delivery(const AttemptResult& result, int attempts,
                       const std::vector<std::int64_t>& delays_ms, double unit_random) {
  if (result.ending == Ending::kDone) return {};
  const auto failures = static_cast<std::size_t>(attempts);
  if (result.http_status == kGone || failures > delays_ms.size()) {
    return {Verdict::Kind::kGivenUp, 0};
  }
  const std::int64_t delay = varied_ms(delays_ms[failures - 1], kDeliveryJitter, unit_random);
  return {Verdict::Kind::kRetry, std::max(delay, asked_for_ms(result))};
}

}  // namespace imgpress
