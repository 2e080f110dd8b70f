#include "drain/window.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

HeldImage image(std::int64_t token, std::uint8_t request, int position) {
  HeldImage held;
  held.token = token;
  held.request_id[0] = request;
  held.position = position;
  held.history = {1, 0, 0};
  return held;
}

TEST(Window, CountsPerRequest) {
  Window window;
  const auto first = window.hold(image(1, 10, 1));
  window.hold(image(1, 10, 2));
  window.hold(image(2, 20, 1));
  EXPECT_EQ(window.size(), 3u);
  EXPECT_EQ(window.held_per_request().at(RequestId{10}), 2);
  window.release(first);
  EXPECT_EQ(window.held_per_request().at(RequestId{10}), 1);
  EXPECT_EQ(window.tokens().size(), 2u);
}

TEST(Window, ALeaseEndsWithItsLastImage) {
  Window window;
  ImageOutcome first;
  ImageOutcome second;
  first.key = window.hold(image(1, 10, 1));
  second.key = window.hold(image(1, 10, 2));
  const RetryLimits limits{3, 1, 1};
  EXPECT_TRUE(window.tokens_ended_by({window.judge_outcome(first, limits)}).empty());
  EXPECT_EQ(window.tokens_ended_by(
                {window.judge_outcome(first, limits), window.judge_outcome(second, limits)}),
            std::vector<std::int64_t>{1});
  window.release(first.key);
  EXPECT_EQ(window.tokens_ended_by({window.judge_outcome(second, limits)}),
            std::vector<std::int64_t>{1});
}

TEST(Window, AFailureCarriesItsReason) {
  Window window;
  ImageOutcome outcome;
  outcome.key = window.hold(image(1, 10, 1));
  outcome.fault = Fault::kNotAnImage;
  outcome.message = "an HTML page, not an image";
  const FinishedImage finished = window.judge_outcome(outcome, {3, 1, 1});
  EXPECT_EQ(finished.verdict.kind, Verdict::Kind::kSetAside);
  EXPECT_STREQ(finished.error_code, "not_an_image");
  EXPECT_STREQ(finished.error, "an HTML page, not an image");
  EXPECT_EQ(finished.output_fd, -1);
}

}  // namespace
}  // namespace imgpress
