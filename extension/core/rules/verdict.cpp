#include "core/rules/verdict.hpp"

#include "core/rules/retry.hpp"

namespace imgpress {

Verdict judge(const AttemptResult& result, const AttemptHistory& history, const RetryLimits& limits,
              double unit_random) {
  Verdict verdict;
  verdict.failed_attempts = history.failed_attempts;
  verdict.codec_crashes = history.codec_crashes;
  if (result.ending == Ending::kDone) return verdict;

  const bool killed_codec = result.ending == Ending::kKilledCodec;
  verdict.kind = Verdict::Kind::kSetAside;
  verdict.transient = !killed_codec && is_transient(result.fault, result.http_status);
  bool again = history.attempts < kMaxAttempts;
  if (killed_codec) {
    again = again && ++verdict.codec_crashes < kMaxCodecCrashes;
  } else if (result.ending == Ending::kFailed) {
    again = again && ++verdict.failed_attempts < limits.max_attempts && verdict.transient;
  }
  if (!again) return verdict;

  verdict.kind = Verdict::Kind::kRetry;
  const int pauses = killed_codec ? verdict.codec_crashes : verdict.failed_attempts;
  verdict.retry_delay_ms =
      retry_delay_ms(pauses > 0 ? pauses : 1, limits.base_delay_ms, limits.max_delay_ms,
                     std::int64_t{1000} * result.retry_after_seconds, unit_random);
  return verdict;
}

}  // namespace imgpress
