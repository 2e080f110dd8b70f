// The pipeline against the real press and a real origin.
#include "drain/pipeline/pipeline.hpp"

#include "support/gate.hpp"
#include "support/pipeline_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::answer;
using test::Gate;
using test::OriginRequest;
using test::photograph;
using test::PipelineTest;
using test::presses;
using test::ScriptedOrigin;

TEST_F(PipelineTest, ImagesPassThroughAndFailuresHaveReasons) {
  const std::string picture = photograph();
  ScriptedOrigin origin([&](const OriginRequest& request) {
    if (request.target == "/missing.jpg") return answer("404 Not Found", "no");
    if (request.target == "/page.html") return answer("200 OK", "<html></html>");
    return answer("200 OK", picture);
  });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  for (std::uint64_t key = 1; key <= 20; ++key)
    pipeline.add(ImageTask{key, origin.url("/a.jpg"), 50});
  pipeline.add(ImageTask{21, origin.url("/missing.jpg"), 50});
  pipeline.add(ImageTask{22, origin.url("/page.html"), 50});
  turn_until_outcomes(pipeline, 22);

  for (std::uint64_t key = 1; key <= 20; ++key) {
    const ImageOutcome& outcome = outcomes_.at(key);
    EXPECT_EQ(outcome.fault, Fault::kNone) << outcome.reason;
    EXPECT_EQ(outcome.http_status, 200);
    EXPECT_EQ(outcome.source_bytes, picture.size());
    EXPECT_LT(outcome.output_bytes, picture.size());
    EXPECT_EQ(outcome.width, 320u);
  }
  EXPECT_EQ(outcomes_.at(21).fault, Fault::kHttpStatus);
  EXPECT_EQ(outcomes_.at(21).http_status, 404);
  EXPECT_EQ(outcomes_.at(22).fault, Fault::kNotAnImage);
  EXPECT_EQ(outcomes_.at(22).http_status, 200);
}

TEST_F(PipelineTest, EachImageGetsItsOwnEffort) {
  const std::string picture = photograph();
  ScriptedOrigin origin([&](const OriginRequest&) { return answer("200 OK", picture); });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  pipeline.add(ImageTask{1, origin.url("/a.jpg"), 50, Effort::kSmall});
  pipeline.add(ImageTask{2, origin.url("/a.jpg"), 50, Effort::kFast});
  pipeline.add(ImageTask{3, origin.url("/a.jpg"), 50, Effort::kSmall});
  turn_until_outcomes(pipeline, 3);
  EXPECT_EQ(outcomes_.at(1).output_bytes, outcomes_.at(3).output_bytes);
  EXPECT_LT(outcomes_.at(1).output_bytes, outcomes_.at(2).output_bytes);
}

TEST_F(PipelineTest, ADeadFetcherIsReplacedAndCostsNoAttempt) {
  const std::string picture = photograph();
  Gate gate;
  ScriptedOrigin origin([&](const OriginRequest& request) {
    if (request.target == "/held.jpg") gate.arrive_and_wait();
    return answer("200 OK", picture);
  });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  pipeline.add(ImageTask{1, origin.url("/held.jpg"), 50});
  turn_until(pipeline, [&] { return gate.has_arrived(); });
  const auto fetchers = presses("fetcher");
  ASSERT_EQ(fetchers.size(), 1u);
  ::kill(fetchers[0], SIGKILL);
  turn_until_outcomes(pipeline, 1);
  gate.open();
  EXPECT_EQ(outcomes_.at(1).fault, Fault::kPressDied);
  EXPECT_EQ(outcomes_.at(1).ending, Ending::kInterrupted);

  pipeline.add(ImageTask{2, origin.url("/a.jpg"), 50});
  turn_until_outcomes(pipeline, 2);
  EXPECT_EQ(outcomes_.at(2).fault, Fault::kNone);
}

TEST_F(PipelineTest, ADeadCodecCostsTheImageThatItWorkedOn) {
  const std::string picture = photograph();
  ScriptedOrigin origin([&](const OriginRequest&) { return answer("200 OK", picture); });
  PipelineSettings settings = test::pipeline_settings();
  settings.codecs = 1;
  PressPipeline pipeline(settings, Clock::now());
  turn_until(pipeline, [&] { return pipeline.ready(); });
  const auto codecs = presses("codec");
  ASSERT_EQ(codecs.size(), 1u);
  ::kill(codecs[0], SIGSTOP);  // so that it certainly holds an image when it dies
  for (std::uint64_t key = 1; key <= 6; ++key)
    pipeline.add(ImageTask{key, origin.url("/a.jpg"), 50});
  turn_until(pipeline,
             [&] { return pipeline.load().compressing == 4 && pipeline.load().waiting == 2; });
  ::kill(codecs[0], SIGKILL);
  turn_until_outcomes(pipeline, 6);
  int died = 0;
  for (const auto& [key, outcome] : outcomes_) {
    const bool killed_codec = outcome.ending == Ending::kKilledCodec;
    if (killed_codec) ++died;
    EXPECT_EQ(outcome.fault, killed_codec ? Fault::kPressDied : Fault::kNone);
    EXPECT_EQ(outcome.http_status, 200);
  }
  EXPECT_EQ(died, 1);
}

TEST_F(PipelineTest, ImagesOfAHostInALongPauseGoBackIntoTheQueue) {
  ScriptedOrigin origin([&](const OriginRequest&) {
    return answer("429 Too Many Requests", "", "Retry-After: 120\r\n");
  });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  pipeline.add(ImageTask{1, origin.url("/a.jpg"), 50});
  turn_until_outcomes(pipeline, 1);
  EXPECT_EQ(outcomes_.at(1).http_status, 429);
  EXPECT_EQ(outcomes_.at(1).retry_after_seconds, 120u);
  EXPECT_EQ(outcomes_.at(1).ending, Ending::kFailed);

  pipeline.add(ImageTask{2, origin.url("/b.jpg"), 50});
  turn_until_outcomes(pipeline, 2);
  EXPECT_EQ(outcomes_.at(2).ending, Ending::kPostponed);
  EXPECT_GT(outcomes_.at(2).retry_after_seconds, 100u);
  EXPECT_EQ(origin.requests(), 1);
}

// The pause is known to the fetcher only. A new one learns of it by the next answer: one request
// more.
TEST_F(PipelineTest, ANewFetcherLearnsOfAPauseByTheNextAnswer) {
  ScriptedOrigin origin([&](const OriginRequest&) {
    return answer("429 Too Many Requests", "", "Retry-After: 120\r\n");
  });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  pipeline.add(ImageTask{1, origin.url("/a.jpg"), 50});
  turn_until_outcomes(pipeline, 1);
  const auto before = presses("fetcher");
  ::kill(before.at(0), SIGKILL);
  turn_until(pipeline, [&] {
    const auto fetchers = presses("fetcher");
    return pipeline.ready() && !fetchers.empty() && fetchers != before;
  });
  for (std::uint64_t key = 2; key <= 3; ++key) {
    pipeline.add(ImageTask{key, origin.url("/b.jpg"), 50});
    turn_until_outcomes(pipeline, key);
  }
  EXPECT_EQ(outcomes_.at(2).ending, Ending::kFailed);
  EXPECT_EQ(outcomes_.at(2).retry_after_seconds, 120u);
  EXPECT_EQ(outcomes_.at(3).ending, Ending::kPostponed);
  EXPECT_EQ(origin.requests(), 2);
}

TEST_F(PipelineTest, AShortPauseOfAHostIsWaitedFor) {
  const std::string picture = photograph();
  std::atomic<int> requests{0};
  ScriptedOrigin origin([&](const OriginRequest&) {
    if (requests++ == 0) return answer("503 Busy", "", "Retry-After: 1\r\n");
    return answer("200 OK", picture);
  });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  pipeline.add(ImageTask{1, origin.url("/a.jpg"), 50});
  turn_until_outcomes(pipeline, 1);
  const TimePoint refused = Clock::now();
  pipeline.add(ImageTask{2, origin.url("/b.jpg"), 50});
  turn_until_outcomes(pipeline, 2);
  EXPECT_EQ(outcomes_.at(2).fault, Fault::kNone);
  EXPECT_GT(Clock::now() - refused, milliseconds(800));
}

TEST_F(PipelineTest, DeliversWebhooks) {
  std::string seen;
  ScriptedOrigin origin([&](const OriginRequest& request) {
    seen = request.method + ' ' + request.body + ' ' + request.headers;
    return answer("204 No Content", "");
  });
  PressPipeline pipeline(test::pipeline_settings(), Clock::now());
  pipeline.add(DeliveryTask{7, origin.url("/hook"), {"webhook-id: msg_1"}, "{\"a\": 1}"});
  turn_until(pipeline, [&] { return !deliveries_.empty(); });
  const DeliveryOutcome& outcome = deliveries_[0];
  EXPECT_EQ(outcome.key, 7u);
  EXPECT_EQ(outcome.fault, Fault::kNone);
  EXPECT_EQ(outcome.http_status, 204);
  EXPECT_EQ(seen.substr(0, 14), "POST {\"a\": 1} ");
  EXPECT_NE(seen.find("webhook-id: msg_1"), std::string::npos);
}

TEST_F(PipelineTest, AMissingPressIsNamed) {
  PipelineSettings settings = test::pipeline_settings();
  settings.press_path = "/nonexistent/imgpress-press";
  try {
    const PressPipeline pipeline(settings, Clock::now());
    FAIL() << "it should not start";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent/imgpress-press"), std::string::npos);
  }
}

}  // namespace
}  // namespace imgpress
