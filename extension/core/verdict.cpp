#include "core/verdict.hpp"

#include "core/retry.hpp"

namespace imgpress {

Verdict judge(const AttemptResult& result, const AttemptHistory& history, const RetryLimits& limits,
              double unit_random) {
  Verdict verdict;
  verdict.failed_attempts = history.failed_attempts;
  verdict.codec_crashes = history.codec_crashes;
  if (result.fault == Fault::kNone) return verdict;

  verdict.kind = Verdict::Kind::kSetAside;
  verdict.transient = !result.codec_died && fault_is_transient(result.fault, result.http_status);
  bool again = history.attempts < kMaxAttempts;
  if (result.codec_died) {
    again = again && ++verdict.codec_crashes < kMaxCodecCrashes;
  } else if (!result.interrupted) {
    again = again && ++verdict.failed_attempts < limits.max_attempts &&
            fault_is_transient(result.fault, result.http_status);
  }
  if (!again) return verdict;

  verdict.kind = Verdict::Kind::kRetry;
  const int pauses = result.codec_died ? verdict.codec_crashes : verdict.failed_attempts;
  verdict.retry_delay_ms =
      retry_delay_ms(pauses > 0 ? pauses : 1, limits.base_delay_ms, limits.max_delay_ms,
                     std::int64_t{1000} * result.retry_after_seconds, unit_random);
  return verdict;
}

}  // namespace imgpress
