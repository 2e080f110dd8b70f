#include "core/rules/verdict.hpp"

#include <gtest/gtest.h>

#include "core/rules/retry.hpp"

namespace imgpress {
namespace {

using Kind = Verdict::Kind;

constexpr RetryLimits kLimits = {3, 1000, 60000};

AttemptResult failed(Fault fault, int http_status = 0, Ending ending = Ending::kFailed) {
  AttemptResult result;
  result.ending = ending;
  result.fault = fault;
  result.http_status = http_status;
  return result;
}

TEST(RetryDelay, DoublesUpToTheLimit) {
  EXPECT_EQ(retry_delay_ms(1, 1000, 60000, 0, 0.5), 1000);
  EXPECT_EQ(retry_delay_ms(2, 1000, 60000, 0, 0.5), 2000);
  EXPECT_EQ(retry_delay_ms(5, 1000, 60000, 0, 0.5), 16000);
  EXPECT_EQ(retry_delay_ms(1000, 1000, 60000, 0, 0.5), 60000);
}

TEST(RetryDelay, JittersByAQuarter) {
  EXPECT_EQ(retry_delay_ms(1, 1000, 60000, 0, 0.0), 750);
  EXPECT_LT(retry_delay_ms(1, 1000, 60000, 0, 0.999), 1250);
}

TEST(RetryDelay, HonoursRetryAfterUpToTheLimit) {
  EXPECT_EQ(retry_delay_ms(1, 1000, 60000, 30000, 0.5), 30000);
  EXPECT_EQ(retry_delay_ms(1, 1000, 60000, 900000, 0.5), 60000);
}

TEST(Judge, SuccessIsDone) {
  EXPECT_EQ(judge({}, {1, 0, 0}, kLimits, 0.5).kind, Kind::kDone);
}

TEST(Judge, PermanentFaultsAreSetAsideAtOnce) {
  for (const Fault fault : {Fault::kNotAnImage, Fault::kDamagedImage, Fault::kAddressDenied,
                            Fault::kTooLarge, Fault::kTls, Fault::kTooManyRedirects}) {
    EXPECT_EQ(judge(failed(fault), {1, 0, 0}, kLimits, 0.5).kind, Kind::kSetAside);
  }
}

TEST(Judge, HttpStatusDecides) {
  for (const int status : {404, 410, 403, 400, 301}) {
    EXPECT_EQ(judge(failed(Fault::kHttpStatus, status), {1, 0, 0}, kLimits, 0.5).kind,
              Kind::kSetAside);
  }
  for (const int status : {206, 408, 425, 429, 500, 502, 503}) {
    EXPECT_EQ(judge(failed(Fault::kHttpStatus, status), {1, 0, 0}, kLimits, 0.5).kind,
              Kind::kRetry);
  }
}

TEST(Judge, TransientFaultsEndAtTheLimitOfAttempts) {
  const Verdict second = judge(failed(Fault::kTimeout), {2, 1, 0}, kLimits, 0.5);
  EXPECT_EQ(second.kind, Kind::kRetry);
  EXPECT_EQ(second.failed_attempts, 2);
  EXPECT_EQ(second.retry_delay_ms, 2000);
  const Verdict third = judge(failed(Fault::kTimeout), {3, 2, 0}, kLimits, 0.5);
  EXPECT_EQ(third.kind, Kind::kSetAside);
  EXPECT_TRUE(third.transient);
  EXPECT_FALSE(judge(failed(Fault::kNotAnImage), {1, 0, 0}, kLimits, 0.5).transient);
}

TEST(Judge, ThirdCodecCrashSetsAside) {
  const AttemptResult crash = failed(Fault::kPressDied, 0, Ending::kKilledCodec);
  EXPECT_EQ(judge(crash, {1, 0, 0}, kLimits, 0.5).kind, Kind::kRetry);
  EXPECT_EQ(judge(crash, {2, 0, 1}, kLimits, 0.5).kind, Kind::kRetry);
  const Verdict third = judge(crash, {3, 0, 2}, kLimits, 0.5);
  EXPECT_EQ(third.kind, Kind::kSetAside);
  EXPECT_EQ(third.codec_crashes, 3);
}

TEST(Judge, InterruptionsCostNothingButHaveAnEnd) {
  const AttemptResult interrupted = failed(Fault::kPressDied, 0, Ending::kInterrupted);
  const Verdict verdict = judge(interrupted, {50, 2, 2}, kLimits, 0.5);
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_EQ(verdict.failed_attempts, 2);
  EXPECT_EQ(judge(interrupted, {kMaxAttempts, 0, 0}, kLimits, 0.5).kind, Kind::kSetAside);
}

}  // namespace
}  // namespace imgpress
