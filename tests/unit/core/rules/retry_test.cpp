#include "core/rules/retry.hpp"

#include <gtest/gtest.h>

#include <limits>

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

TEST(JudgeImage, SuccessIsDone) {
  EXPECT_EQ(judge_image({}, {1, 0, 0}, kLimits, 0.5).kind, Kind::kDone);
}

TEST(JudgeImage, PermanentFaultsAreGivenUpAtOnce) {
  for (const Fault fault : {Fault::kNotAnImage, Fault::kDamagedImage, Fault::kAddressDenied,
                            Fault::kTooLarge, Fault::kTls, Fault::kTooManyRedirects}) {
    EXPECT_EQ(judge_image(failed(fault), {1, 0, 0}, kLimits, 0.5).kind, Kind::kGivenUp);
  }
}

TEST(JudgeImage, HttpStatusDecides) {
  for (const int status : {404, 410, 403, 400, 301}) {
    EXPECT_EQ(judge_image(failed(Fault::kHttpStatus, status), {1, 0, 0}, kLimits, 0.5).kind,
              Kind::kGivenUp);
  }
  for (const int status : {206, 408, 425, 429, 500, 502, 503}) {
    EXPECT_EQ(judge_image(failed(Fault::kHttpStatus, status), {1, 0, 0}, kLimits, 0.5).kind,
              Kind::kRetry);
  }
}

TEST(JudgeImage, TransientFaultsEndAtTheLimitOfAttempts) {
  const ImageVerdict second = judge_image(failed(Fault::kTimeout), {2, 1, 0}, kLimits, 0.5);
  EXPECT_EQ(second.kind, Kind::kRetry);
  EXPECT_EQ(second.failed_attempts, 2);
  EXPECT_EQ(second.retry_delay_ms, 2000);
  const ImageVerdict third = judge_image(failed(Fault::kTimeout), {3, 2, 0}, kLimits, 0.5);
  EXPECT_EQ(third.kind, Kind::kGivenUp);
  EXPECT_TRUE(third.transient);
  EXPECT_FALSE(judge_image(failed(Fault::kNotAnImage), {1, 0, 0}, kLimits, 0.5).transient);
}

TEST(JudgeImage, TheThirdCodecCrashIsTheLast) {
  const AttemptResult crash = failed(Fault::kPressDied, 0, Ending::kKilledCodec);
  EXPECT_EQ(judge_image(crash, {1, 0, 0}, kLimits, 0.5).kind, Kind::kRetry);
  EXPECT_EQ(judge_image(crash, {2, 0, 1}, kLimits, 0.5).kind, Kind::kRetry);
  const ImageVerdict third = judge_image(crash, {3, 0, 2}, kLimits, 0.5);
  EXPECT_EQ(third.kind, Kind::kGivenUp);
  EXPECT_EQ(third.codec_crashes, 3);
}

TEST(JudgeImage, InterruptedAttemptsDoNotCountAsFailedHoweverMany) {
  const AttemptResult interrupted = failed(Fault::kPressDied, 0, Ending::kInterrupted);
  const ImageVerdict verdict = judge_image(interrupted, {1000, 2, 2, 3}, kLimits, 0.5);
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_EQ(verdict.failed_attempts, 2);
  EXPECT_EQ(verdict.interruptions, 4);
  EXPECT_TRUE(verdict.transient);
}

TEST(JudgeImage, AnImageThatIsInterruptedAloneIsGivenUp) {
  const AttemptResult interrupted = failed(Fault::kPressDied, 0, Ending::kInterrupted);
  const ImageVerdict verdict = judge_image(interrupted, {4, 0, 0, 3, true}, kLimits, 0.5);
  EXPECT_EQ(verdict.kind, Kind::kGivenUp);
  EXPECT_FALSE(verdict.transient) << "retry_recent() would end the fetcher again and again";
}

TEST(JudgeImage, TheFirstInterruptionIsRetriedAtOnce) {
  const AttemptResult interrupted = failed(Fault::kPressDied, 0, Ending::kInterrupted);
  EXPECT_EQ(judge_image(interrupted, {1, 0, 0, 0}, kLimits, 0.5).retry_delay_ms, 0);
  EXPECT_EQ(judge_image(interrupted, {2, 0, 0, 1}, kLimits, 0.5).retry_delay_ms, 1000);
  EXPECT_EQ(judge_image(interrupted, {3, 0, 0, 2}, kLimits, 0.5).retry_delay_ms, 2000);
}

TEST(JudgeImage, InterruptionsAreCountedInARow) {
  EXPECT_EQ(judge_image(failed(Fault::kTimeout), {3, 0, 0, 2}, kLimits, 0.5).interruptions, 0);
  const AttemptResult postponed = failed(Fault::kHttpStatus, 0, Ending::kPostponed);
  EXPECT_EQ(judge_image(postponed, {3, 0, 0, 2}, kLimits, 0.5).interruptions, 2) << "not begun";
}

TEST(JudgeImage, ManyInterruptionsDoNotMakeAFailureTheLast) {
  EXPECT_EQ(judge_image(failed(Fault::kTimeout), {1000, 0, 0}, kLimits, 0.5).kind, Kind::kRetry);
}

TEST(JudgeImage, PostponedAttemptsAreTakenBackAndNotLimited) {
  AttemptResult postponed = failed(Fault::kHttpStatus, 0, Ending::kPostponed);
  postponed.retry_after_seconds = 30;
  const ImageVerdict verdict = judge_image(postponed, {kMaxAttempts, 2, 0}, kLimits, 0.5);
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_FALSE(verdict.counted);
  EXPECT_EQ(verdict.failed_attempts, 2);
  EXPECT_EQ(verdict.retry_delay_ms, 30000);
  EXPECT_TRUE(judge_image(failed(Fault::kTimeout), {1, 0, 0}, kLimits, 0.5).counted);
}

TEST(JudgeImage, TheDelayDoublesUpToTheLimitAndVariesByAQuarter) {
  const auto delay = [](int failed_attempts, double unit_random) {
    const RetryLimits limits = {kMaxAttempts, 1000, 60000};
    const AttemptHistory history = {failed_attempts, failed_attempts - 1, 0};
    return judge_image(failed(Fault::kTimeout), history, limits, unit_random).retry_delay_ms;
  };
  EXPECT_EQ(delay(1, 0.5), 1000);
  EXPECT_EQ(delay(2, 0.5), 2000);
  EXPECT_EQ(delay(5, 0.5), 16000);
  EXPECT_EQ(delay(99, 0.5), 60000);
  EXPECT_EQ(delay(1, 0.0), 750);
  EXPECT_GE(delay(1, 0.999), 1249);
  EXPECT_LT(delay(1, 0.999), 1250);
}

TEST(JudgeImage, RetryAfterIsHonouredUpToTheLongestDelay) {
  AttemptResult busy = failed(Fault::kHttpStatus, 503);
  busy.retry_after_seconds = 30;
  EXPECT_EQ(judge_image(busy, {1, 0, 0}, kLimits, 0.5).retry_delay_ms, 30000);
  busy.retry_after_seconds = 900;
  EXPECT_EQ(judge_image(busy, {1, 0, 0}, kLimits, 0.5).retry_delay_ms, 60000);
}

// ---- deliveries

const std::vector<std::int64_t> kDelays = {5000, 300000};

TEST(JudgeDelivery, SuccessIsDone) {
  EXPECT_EQ(judge_delivery({}, 1, kDelays, 0.5).kind, Kind::kDone);
}

TEST(JudgeDelivery, EachFailureIsRetriedUntilTheDelaysAreUsedUp) {
  for (const auto& result : {failed(Fault::kHttpStatus, 404), failed(Fault::kHttpStatus, 500),
                             failed(Fault::kTimeout), failed(Fault::kAddressDenied)}) {
    const Verdict first = judge_delivery(result, 1, kDelays, 0);
    EXPECT_EQ(first.kind, Kind::kRetry);
    EXPECT_EQ(first.retry_delay_ms, 5000);
    EXPECT_EQ(judge_delivery(result, 2, kDelays, 0).retry_delay_ms, 300000);
    EXPECT_EQ(judge_delivery(result, 3, kDelays, 0).kind, Kind::kGivenUp);
  }
}

TEST(JudgeDelivery, GoneEndsItAtOnce) {
  EXPECT_EQ(judge_delivery(failed(Fault::kHttpStatus, 410), 1, kDelays, 0).kind, Kind::kGivenUp);
}

TEST(JudgeDelivery, IsUpToATenthLaterAndNeverBeforeRetryAfter) {
  AttemptResult busy = failed(Fault::kHttpStatus, 503);
  EXPECT_GE(judge_delivery(busy, 1, kDelays, 0.999).retry_delay_ms, 5499);
  EXPECT_LT(judge_delivery(busy, 1, kDelays, 0.999).retry_delay_ms, 5500);
  busy.retry_after_seconds = 3600;
  EXPECT_EQ(judge_delivery(busy, 1, kDelays, 0.5).retry_delay_ms, 3600000);
}

TEST(JudgeDelivery, AFetcherThatLiesAboutRetryAfterDoesNotPutItOffForYears) {
  AttemptResult busy = failed(Fault::kHttpStatus, 503);
  busy.retry_after_seconds = std::numeric_limits<std::uint32_t>::max();
  EXPECT_EQ(judge_delivery(busy, 1, kDelays, 0.5).retry_delay_ms, 3600000);
}

}  // namespace
}  // namespace imgpress
