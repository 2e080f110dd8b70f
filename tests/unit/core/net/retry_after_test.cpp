#include "core/net/retry_after.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

constexpr std::time_t kNow = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(RetryAfterTest, Seconds) {
  EXPECT_EQ(retry_after_seconds("120", kNow), 120u);
  EXPECT_EQ(retry_after_seconds(" 7 ", kNow), 7u);
  EXPECT_EQ(retry_after_seconds("0", kNow), 0u);
}

TEST(RetryAfterTest, IsCapped) {
  EXPECT_EQ(retry_after_seconds("86400", kNow), kMaxRetryAfterSeconds);
  EXPECT_EQ(retry_after_seconds("99999999999999999999999999", kNow), kMaxRetryAfterSeconds);
  EXPECT_EQ(retry_after_seconds("Mon, 07 Nov 1994 08:49:37 GMT", kNow), kMaxRetryAfterSeconds);
}

TEST(RetryAfterTest, AllThreeFormsOfDate) {
  EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:50:37 GMT", kNow), 60u);
  EXPECT_EQ(retry_after_seconds("Sunday, 06-Nov-94 08:50:37 GMT", kNow), 60u);
  EXPECT_EQ(retry_after_seconds("Sun Nov  6 08:50:37 1994", kNow), 60u);
}

TEST(RetryAfterTest, TwoDigitYearsFollowTheClock) {
  const std::time_t in_2049 = 2'519'881'200;  // 1049 s before the date below would be too far
  EXPECT_EQ(retry_after_seconds("Sunday, 06-Nov-94 08:49:37 GMT", in_2049), kMaxRetryAfterSeconds);
  const std::time_t in_2026 = 1'793'955'000;
  EXPECT_EQ(retry_after_seconds("Sunday, 06-Nov-94 08:49:37 GMT", in_2026), 0u);
}

TEST(RetryAfterTest, PastDatesAndInvalidHeadersAreZero) {
  for (const char* header :
       {"Sun, 06 Nov 1994 08:49:36 GMT", "", "  ", "-5", "soon", "12 seconds", "1.5",
        "Sun, 06 Foo 1994 08:50:37 GMT", "Sun, 46 Nov 1994 08:50:37 GMT",
        "Sun, 06 ovD 1994 08:50:37 GMT", "Sun, 06 Nov 1994 28:50:37 GMT"}) {
    EXPECT_EQ(retry_after_seconds(header, kNow), 0u) << header;
  }
}

}  // namespace
}  // namespace imgpress
