// The clients of a press, with a real press and with one that breaks the protocol.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <functional>

#include "drain/presses/codec_client.hpp"
#include "drain/presses/fetcher_client.hpp"
#include "drain/presses/session_press.hpp"
#include "support/press_clients.hpp"
#include "support/real_press.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress {
namespace {

using std::chrono::seconds;
using test::BadPress;
using test::image;
using test::next_answer;
using test::next_end;
using test::settings_with;
using test::wait_readable;

TEST(CodecClientTest, AnswersInOrderOnceItIsReady) {
  CodecClient codec;
  codec.start(settings_with(test::press_path()), Clock::now());
  EXPECT_FALSE(codec.ready());
  const PressSettings settings = settings_with(test::press_path());
  for (std::uint64_t key = 1; key <= 3; ++key) {
    FetchedImage sent = image(key);
    ASSERT_EQ(codec.send(sent, settings, Clock::now()), PacketSocket::Sent::kYes);
  }
  EXPECT_EQ(codec.held_bytes(), 45u);
  for (std::uint64_t key = 1; key <= 3; ++key) {
    const ImageOutcome outcome = next_answer(codec);
    EXPECT_TRUE(codec.ready());
    EXPECT_EQ(outcome.key, key);
    EXPECT_EQ(outcome.ending, Ending::kFailed);
    EXPECT_EQ(outcome.fault, Fault::kNotAnImage);
    EXPECT_NE(outcome.reason, "");
  }
  EXPECT_EQ(codec.held_bytes(), 0u);
  EXPECT_GT(codec.work_time(), Clock::duration::zero());
  EXPECT_EQ(codec.deadline(), TimePoint::max());
}

class BadCodecTest : public testing::TestWithParam<std::pair<const char*, PressEnd>> {};

TEST_P(BadCodecTest, IsEnded) {
  const BadPress bad(GetParam().first);
  CodecClient codec;
  codec.start(settings_with(bad.path()), Clock::now());
  FetchedImage sent = image(1);
  codec.send(sent, settings_with(bad.path()), Clock::now());
  FetchedImage behind = image(2);
  codec.send(behind, settings_with(bad.path()), Clock::now());
  EXPECT_EQ(next_end(codec), GetParam().second);
  const auto held = codec.take_held();
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held.front().task.key, 1u);
  EXPECT_EQ(sealed_size(held.back().source.get()), held.back().source_bytes);
}

INSTANTIATE_TEST_SUITE_P(Misbehaviours, BadCodecTest,
                         testing::Values(std::pair("foreign-id", PressEnd::kBrokeProtocol),
                                         std::pair("empty", PressEnd::kBrokeProtocol),
                                         std::pair("large", PressEnd::kBrokeProtocol),
                                         std::pair("unsealed", PressEnd::kBrokeProtocol),
                                         std::pair("no-output", PressEnd::kBrokeProtocol),
                                         std::pair("nonsense", PressEnd::kBrokeProtocol),
                                         std::pair("other-pid", PressEnd::kBrokeProtocol),
                                         std::pair("dies", PressEnd::kDied)),
                         [](const auto& tested) {
                           std::string name = tested.param.first;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

TEST(CodecClientTest, ACodecThatDoesNotAnswerIsEnded) {
  const BadPress bad("silent");
  CodecClient codec;
  codec.start(settings_with(bad.path()), Clock::now());
  FetchedImage sent = image(1);
  const TimePoint sent_at = Clock::now();
  codec.send(sent, settings_with(bad.path()), sent_at);
  while (!codec.ready()) {
    wait_readable(codec);
    EXPECT_FALSE(codec.receive(Clock::now()));
  }
  EXPECT_FALSE(codec.receive(sent_at + seconds(49)));  // 10 s, and 4 times the 10 s of CPU time
  EXPECT_THROW(codec.receive(sent_at + seconds(50)), PressEnded);
}

TEST(PressClientTest, APressOfAnotherVersionIsUnusable) {
  const BadPress bad("other-version");
  CodecClient codec;
  codec.start(settings_with(bad.path()), Clock::now());
  try {
    next_answer(codec);
    FAIL() << "the client accepts it";
  } catch (const PressUnusable& error) {
    EXPECT_NE(std::string(error.what()).find("9.9.9"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(bad.path()), std::string::npos) << error.what();
  }
}

TEST(PressClientTest, APressThatNeverBecomesReadyIsUnusable) {
  const BadPress bad("never-ready");
  CodecClient codec;
  const TimePoint started_at = Clock::now();
  codec.start(settings_with(bad.path()), started_at);
  EXPECT_FALSE(codec.receive(started_at + seconds(9)));
  EXPECT_THROW(codec.receive(started_at + seconds(10)), PressUnusable);
}

void expect_unusable_after_six_starts(const BadPress& bad) {
  CodecClient codec;
  for (int start = 1; start < 6; ++start) {
    codec.start(settings_with(bad.path()), Clock::now());
    EXPECT_EQ(next_end(codec), PressEnd::kDied);
  }
  codec.start(settings_with(bad.path()), Clock::now());
  EXPECT_THROW(next_answer(codec), PressUnusable);
}

TEST(PressClientTest, APressThatEndsAtEachStartIsUnusable) {
  expect_unusable_after_six_starts(BadPress("ends-at-once"));
}

TEST(PressClientTest, APressThatEndsBeforeItHasWorkIsUnusable) {
  expect_unusable_after_six_starts(BadPress("ready-then-gone"));
}

// Each end is attributed to the image, so it does not make the codec unusable.
TEST(PressClientTest, ACodecMayDieOverItsWorkAnyNumberOfTimes) {
  const BadPress bad("dies");
  CodecClient codec;
  for (int start = 0; start < 20; ++start) {
    codec.start(settings_with(bad.path()), Clock::now());
    while (!codec.ready()) {
      wait_readable(codec);
      EXPECT_FALSE(codec.receive(Clock::now()));
    }
    FetchedImage sent = image(1);
    ASSERT_EQ(codec.send(sent, settings_with(bad.path()), Clock::now()), PacketSocket::Sent::kYes);
    EXPECT_EQ(next_end(codec), PressEnd::kDied);
  }
}

class BadFetcherTest : public testing::TestWithParam<const char*> {};

TEST_P(BadFetcherTest, IsEnded) {
  const BadPress bad(GetParam());
  FetcherClient fetcher;
  fetcher.start(settings_with(bad.path()), Clock::now());
  ASSERT_EQ(fetcher.download(1, {"http://127.0.0.1/"}, Clock::now()), PacketSocket::Sent::kYes);
  EXPECT_EQ(fetcher.in_flight(), 1u);
  if (std::string(GetParam()) == "twice") {
    EXPECT_EQ(next_answer(fetcher).id, 1u);
  }
  EXPECT_EQ(next_end(fetcher), PressEnd::kBrokeProtocol);
}

INSTANTIATE_TEST_SUITE_P(Misbehaviours, BadFetcherTest,
                         testing::Values("foreign-id", "unsealed", "no-output", "nonsense", "twice",
                                         "not-modified", "bad-digest", "bad-etag", "bad-date"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

class SessionPressTest : public testing::Test {
 protected:
  void wait(SessionPress& press) {
    while (!press.poll(Clock::now())) {
      pollfd ready{press.wait_fd(), POLLIN, 0};
      if (::poll(&ready, 1, 10'000) != 1) throw std::runtime_error("no answer");
    }
  }
  Fault fault_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const FaultError& error) {
      return error.fault();
    }
    return Fault::kNone;
  }
};

TEST_F(SessionPressTest, EndsAPressThatBreaksTheProtocol) {
  for (const char* misbehaviour :
       {"foreign-id", "empty", "large", "unsealed", "no-output", "nonsense"}) {
    const BadPress bad(misbehaviour);
    SessionPress press;
    press.begin_compression(image(1), settings_with(bad.path()));
    EXPECT_EQ(fault_of([&] { wait(press); }), Fault::kPressDied) << misbehaviour;
  }
  const BadPress bad("foreign-id");
  SessionPress press;
  press.begin_download({"http://127.0.0.1/"}, settings_with(bad.path()));
  EXPECT_EQ(fault_of([&] { wait(press); }), Fault::kPressDied);
}

TEST_F(SessionPressTest, AsksAHostAgainThatAskedForAPause) {
  test::ScriptedOrigin origin([](const test::OriginRequest&) {
    return test::answer("429 Too Many Requests", "", "Retry-After: 120\r\n");
  });
  SessionPress press;
  for (int call = 1; call <= 2; ++call) {
    press.begin_download({origin.url("/a.jpg")}, settings_with(test::press_path()));
    EXPECT_EQ(fault_of([&] { wait(press); }), Fault::kHttpStatus);
    EXPECT_EQ(origin.requests(), call);
  }
}

TEST_F(SessionPressTest, WorksAfterAnAbandonedCompression) {
  SessionPress press;
  const PressSettings settings = settings_with(test::press_path());
  press.begin_compression(image(1), settings);
  press.begin_compression(image(2), settings);  // the first one is abandoned
  EXPECT_EQ(fault_of([&] { wait(press); }), Fault::kNotAnImage);
  press.begin_compression(image(3), settings);
  EXPECT_EQ(fault_of([&] { wait(press); }), Fault::kNotAnImage);
}

}  // namespace
}  // namespace imgpress
