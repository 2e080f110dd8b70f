// A fetcher whose ports or files have changed is replaced, and its transfers go on.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "channel/file_stamp.hpp"
#include "drain/presses/fetcher_client.hpp"
#include "support/gate.hpp"
#include "support/pipeline_fixture.hpp"
#include "support/press_clients.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress {
namespace {

using test::next_answer;
using test::presses;
using test::settings_with;

class FetcherReplacement : public testing::Test {
 protected:
  void download(std::uint64_t id, const std::string& target) {
    ASSERT_EQ(fetcher_.download(id, {origin_.url(target)}, Clock::now()), PacketSocket::Sent::kYes);
  }
  void wait_for_requests(int count) {
    while (origin_.requests() < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  test::Gate gate_;
  test::ScriptedOrigin origin_{[this](const test::OriginRequest& request) {
    if (request.target == "/held") gate_.arrive_and_wait();
    return test::answer("200 OK", request.target);
  }};
  PressSettings allowed_ = settings_with(test::press_path());
  FetcherClient fetcher_;
};

TEST_F(FetcherReplacement, ChangedPortsReplaceItAndItsTransferEnds) {
  fetcher_.start(allowed_, Clock::now());
  download(1, "/held");
  wait_for_requests(1);
  const auto first = presses("fetcher");
  PressSettings denied = allowed_;
  denied.allowed_networks = "";
  fetcher_.reconfigure(denied);
  download(2, "/denied");
  EXPECT_EQ(presses("fetcher").size(), 2u);
  FetchOutcome outcome = next_answer(fetcher_);
  EXPECT_EQ(outcome.id, 2u);
  EXPECT_EQ(outcome.fault, Fault::kAddressDenied);
  EXPECT_EQ(fetcher_.in_flight(), 1u);
  gate_.open();
  outcome = next_answer(fetcher_);
  EXPECT_EQ(outcome.id, 1u);
  EXPECT_EQ(outcome.fault, Fault::kNone);
  EXPECT_EQ(outcome.body_bytes, 5u);
  EXPECT_FALSE(fetcher_.receive(Clock::now()));
  ASSERT_EQ(presses("fetcher").size(), 1u);
  EXPECT_NE(presses("fetcher"), first);
}

TEST_F(FetcherReplacement, OfManyFormerOnesTheOldestGivesItsTransfersBack) {
  PressSettings settings = allowed_;
  fetcher_.start(settings, Clock::now());
  download(1, "/held");
  wait_for_requests(1);
  for (std::uint64_t id = 2; id <= 4; ++id) {
    settings.best_effort = !settings.best_effort;
    fetcher_.reconfigure(settings);
    download(id, "/held");
    wait_for_requests(static_cast<int>(id));
  }
  EXPECT_EQ(presses("fetcher").size(), 3u);
  const FetchOutcome given_back = next_answer(fetcher_);
  EXPECT_EQ(given_back.id, 1u);
  EXPECT_TRUE(given_back.postponed);
  EXPECT_EQ(fetcher_.in_flight(), 3u);
  gate_.open();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(next_answer(fetcher_).fault, Fault::kNone);
}

TEST_F(FetcherReplacement, AFormerOneThatDiesGivesItsTransfersBack) {
  fetcher_.start(allowed_, Clock::now());
  download(1, "/held");
  wait_for_requests(1);
  const auto former = presses("fetcher");
  allowed_.best_effort = true;
  fetcher_.reconfigure(allowed_);
  download(2, "/ok");
  EXPECT_EQ(next_answer(fetcher_).id, 2u);
  ::kill(former.front(), SIGKILL);
  const FetchOutcome given_back = next_answer(fetcher_);
  EXPECT_EQ(given_back.id, 1u);
  EXPECT_TRUE(given_back.postponed);
  gate_.open();
}

TEST(FileStamp, ChangesWithTheFileBehindThePath) {
  const std::string folder = testing::TempDir();
  const std::string path = folder + "stamped";
  const std::string other = folder + "other";
  std::ofstream(path) << "one";
  const std::string stamp = file_stamp(path);
  EXPECT_TRUE(is_current(stamp));
  std::ofstream(other) << "two";
  std::filesystem::rename(other, path);
  EXPECT_FALSE(is_current(stamp));
  std::filesystem::remove(path);
  const std::string missing = file_stamp(path);
  EXPECT_NE(missing, stamp);
  EXPECT_TRUE(is_current(missing));
  std::ofstream(path) << "three";
  EXPECT_FALSE(is_current(missing));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace imgpress
