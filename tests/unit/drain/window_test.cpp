#include "drain/window.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

ClaimedImage image(std::uint8_t request, int image_no, int attempts = 1) {
  ClaimedImage claimed;
  claimed.request_id[0] = request;
  claimed.image_no = image_no;
  claimed.history = {attempts, 0, 0};
  return claimed;
}

TEST(Window, CountsPerRequestAndLease) {
  Window window;
  const auto first = window.hold(1, image(10, 1));
  window.hold(1, image(10, 2, 2));
  window.hold(2, image(20, 1));
  EXPECT_EQ(window.size(), 3u);
  EXPECT_EQ(window.held_retries(), 1u);
  EXPECT_EQ(window.held_per_request().at(RequestId{10}), 2);
  EXPECT_EQ(window.tokens().size(), 2u);
  window.release(first);
  EXPECT_EQ(window.held_per_request().at(RequestId{10}), 1);
  EXPECT_EQ(window.tokens().size(), 2u);
  window.release(first + 1);
  EXPECT_EQ(window.tokens(), std::vector<std::int64_t>{2});
  EXPECT_EQ(window.held_retries(), 0u);
}

TEST(Window, AFailureHasCodeReasonAndStatus) {
  Window window;
  ImageOutcome outcome;
  outcome.key = window.hold(7, image(10, 3));
  outcome.ending = Ending::kFailed;
  outcome.fault = Fault::kNotAnImage;
  outcome.http_status = 200;
  outcome.reason = "an HTML page, not an image";
  const FinishedImage finished = window.judge(std::move(outcome), {3, 1, 1}, 0.5);
  EXPECT_EQ(finished.token, 7);
  EXPECT_EQ(finished.request_id, RequestId{10});
  EXPECT_EQ(finished.image_no, 3);
  EXPECT_EQ(finished.verdict.kind, Verdict::Kind::kGivenUp);
  EXPECT_STREQ(finished.error_code, "not_an_image");
  EXPECT_EQ(finished.http_status, 200);
  EXPECT_EQ(finished.error, "an HTML page, not an image");
  EXPECT_FALSE(finished.output);
}

}  // namespace
}  // namespace imgpress
