// What becomes of an image or a webhook delivery after an attempt: done, retried, or given up.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rules/fault.hpp"

namespace imgpress {

// An image that crashed this many codecs is given up.
constexpr int kMaxCodecCrashes = 3;

// The upper end of the setting imgpress.max_attempts.
constexpr int kMaxAttempts = 100;

enum class Ending : std::uint8_t {
  kDone,
  kFailed,       // for the reason that the fault names
  kKilledCodec,  // the codec that worked on the image crashed
  kInterrupted,  // its fetcher was killed or crashed, perhaps because of another image
  kPostponed,    // not begun, because its host has asked for a pause
};

struct AttemptResult {
  Ending ending = Ending::kDone;
  Fault fault = Fault::kNone;             // kNone if and only if done
  int http_status = 0;                    // 0: the server has not answered
  std::uint32_t retry_after_seconds = 0;  // what the server asked for
};

struct Verdict {
  enum class Kind { kDone, kRetry, kGivenUp };
  Kind kind = Kind::kDone;
  std::int64_t retry_delay_ms = 0;  // of kRetry
};

// ---- images

struct AttemptHistory {
  int attempts = 0;         // including this one
  int failed_attempts = 0;  // before this one
  int codec_crashes = 0;    // before this one
  int interruptions = 0;    // in a row, before this one
  bool alone = false;       // after several interruptions: no other image was under way
};

struct RetryLimits {
  int max_attempts = 1;  // that fail for a transient reason
  std::int64_t base_delay_ms = 0;
  std::int64_t max_delay_ms = 0;
};

struct ImageVerdict : Verdict {
  int failed_attempts = 0;
  int codec_crashes = 0;
  int interruptions = 0;
  bool transient = false;  // a later attempt may succeed without anybody changing anything
  bool counted = true;     // false: the attempt was not begun, and is taken back
};

// `unit_random` is uniform in [0, 1) and varies the delay.
ImageVerdict judge_image(const AttemptResult& result, const AttemptHistory& history,
                         const RetryLimits& limits, double unit_random);

// ---- webhook deliveries

// Every failure is retried until the delays are used up: delays_ms[n - 1] follows the n-th attempt.
// Only 410 Gone ends the delivery at once. REQUIRES: attempts >= 1, this one included.
Verdict judge_delivery(const AttemptResult& result, int attempts,
                       const std::vector<std::int64_t>& delays_ms, double unit_random);

}  // namespace imgpress
