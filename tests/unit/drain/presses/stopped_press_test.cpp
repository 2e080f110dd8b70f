// A press that is stopped by a signal is noticed soon, and not by the time that its work takes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "drain/presses/codec_client.hpp"
#include "drain/presses/fetcher_client.hpp"
#include "drain/presses/session_press.hpp"
#include "support/pipeline_fixture.hpp"
#include "support/press_clients.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::image;
using test::next_answer;
using test::presses;
using test::settings_with;

const PressSettings& real_settings() {
  static const PressSettings settings = settings_with(test::press_path());
  return settings;
}

void signal_press(const std::string& role, int signal) {
  const auto found = presses(role);
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(::kill(found.front(), signal), 0);
  siginfo_t info{};
  const int change = signal == SIGSTOP ? WSTOPPED : WCONTINUED;
  const auto id = static_cast<id_t>(found.front());
  ASSERT_EQ(::waitid(P_PID, id, &info, change | WNOWAIT), 0);
}

// A codec that has answered once, is stopped, and has another image.
class StoppedCodec : public testing::Test {
 protected:
  StoppedCodec() {
    codec_.start(real_settings(), Clock::now());
    send(1);
    next_answer(codec_);
    signal_press("codec", SIGSTOP);
    send(2);
  }
  void send(std::uint64_t key) {
    FetchedImage sent = image(key);
    ASSERT_EQ(codec_.send(sent, real_settings(), now_), PacketSocket::Sent::kYes);
  }
  // Calls receive() when its deadline says so, `times` times.
  void look(int times) {
    for (int i = 0; i < times; ++i) {
      now_ = std::max(now_, codec_.deadline());
      EXPECT_FALSE(codec_.receive(now_));
    }
  }

  CodecClient codec_;
  TimePoint now_ = Clock::now();
};

TEST_F(StoppedCodec, IsEndedAfterTwoSeconds) {
  const TimePoint stopped_at = now_;
  look(4);
  now_ = codec_.deadline();
  try {
    codec_.receive(now_);
    FAIL() << "it is still waited for";
  } catch (const PressEnded& ended) {
    EXPECT_EQ(ended.why(), PressEnd::kStopped);
    EXPECT_EQ(ended.fault(), Fault::kPressDied);
  }
  EXPECT_GE(now_ - stopped_at, seconds(2));
  EXPECT_LE(now_ - stopped_at, seconds(3));
  EXPECT_FALSE(codec_.running());
}

TEST_F(StoppedCodec, IsNotBlamedForTheTimeInWhichItsOwnerDidNotLook) {
  look(1);
  now_ += seconds(30);
  EXPECT_FALSE(codec_.receive(now_));
}

TEST_F(StoppedCodec, MayGoOn) {
  look(4);
  signal_press("codec", SIGCONT);
  EXPECT_EQ(next_answer(codec_).key, 2u);
}

TEST(StoppedFetcher, IsEnded) {
  FetcherClient fetcher;
  fetcher.start(real_settings(), Clock::now());
  fetcher.download(1, {"no URL"}, Clock::now());
  next_answer(fetcher);
  signal_press("fetcher", SIGSTOP);
  TimePoint now = Clock::now();
  fetcher.download(2, {"no URL"}, now);
  for (int look = 1; look < 5; ++look) {
    now = std::max(now, fetcher.deadline());
    EXPECT_FALSE(fetcher.receive(now));
  }
  EXPECT_THROW(fetcher.receive(fetcher.deadline()), PressEnded);
}

TEST(StoppedPress, OfASessionIsEnded) {
  SessionPress press;
  press.begin_compression(image(1), real_settings());
  EXPECT_FALSE(press.poll(Clock::now()));
  signal_press("codec", SIGSTOP);
  TimePoint now = Clock::now();
  try {
    for (int look = 0; look < 8; ++look) {
      now = std::max(now, press.deadline());
      if (press.poll(now)) break;
    }
    FAIL() << "it is still waited for";
  } catch (const FaultError& error) {
    EXPECT_EQ(error.fault(), Fault::kPressDied);
    EXPECT_NE(std::string(error.what()).find("stopped"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace imgpress
