// What becomes of an image after an attempt: done, tried again, or set aside. Pure rules.
#pragma once

#include <cstdint>

#include "core/rules/fault.hpp"

namespace imgpress {

// An image may end this many codecs before it is set aside.
constexpr int kMaxCodecCrashes = 3;
// Attempts that were cut short through no fault of the image's (a killed process, a paused host)
// count against nothing, up to this number: nothing is tried for ever.
constexpr int kMaxAttempts = 100;

struct AttemptHistory {
  int attempts = 0;         // including this one
  int failed_attempts = 0;  // before this one
  int codec_crashes = 0;    // before this one
};

// How an attempt on an image ended.
enum class Ending : std::uint8_t {
  kDone,
  kFailed,       // for the reason that the fault names
  kKilledCodec,  // it ended the codec that worked on it
  kInterrupted,  // cut short through no fault of its own: its fetcher ended, its host is paused
};

struct AttemptResult {
  Ending ending = Ending::kDone;
  Fault fault = Fault::kNone;  // kNone if done, and only then
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
};

struct RetryLimits {
  int max_attempts = 1;
  std::int64_t base_delay_ms = 0;
  std::int64_t max_delay_ms = 0;
};

struct Verdict {
  enum class Kind { kDone, kRetry, kSetAside };
  Kind kind = Kind::kDone;
  std::int64_t retry_delay_ms = 0;
  int failed_attempts = 0;
  int codec_crashes = 0;
  bool transient = false;  // the fault may pass by itself
};

// `unit_random` is uniform in [0, 1): jitter of the pause.
Verdict judge(const AttemptResult& result, const AttemptHistory& history, const RetryLimits& limits,
              double unit_random);

}  // namespace imgpress
