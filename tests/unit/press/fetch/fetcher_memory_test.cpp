// Downloads that wait for memory: their time-outs stand still, and they need nothing meanwhile.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "support/gate.hpp"
#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kImageBytes = 900'000;

class FetcherMemoryTest : public testing::Test {
 protected:
  void grant(std::int64_t room, std::uint64_t received = 0, bool idle = false) {
    fetcher_.press().socket().send(wire::MemoryGrant{received, room, idle});
  }
  void request(const std::string& url, std::uint64_t id, std::uint32_t timeout_ms = 8'000) {
    wire::FetchRequest request = RealFetcher::get_request(url, id);
    request.timeout_ms = timeout_ms;
    fetcher_.press().socket().send(request);
  }
  // The next message, which must be about memory.
  wire::MemoryUse receive_use() {
    return std::get<wire::MemoryUse>(fetcher_.press().receive().message);
  }
  void wait_until_short() {
    while (!receive_use().is_short) {
    }
  }

  ScriptedOrigin origin_{[](const OriginRequest& request) {
    const std::string image(kImageBytes, 'x');
    if (request.target != "/chunked") return answer("200 OK", image);
    return OriginAnswer{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + image,
                        OriginAnswer::Then::kClose};
  }};
  RealFetcher fetcher_;
};

TEST_F(FetcherMemoryTest, WithoutRoomOneDownloadGoesAheadAndTheOthersWait) {
  grant(0);
  for (std::uint64_t id = 1; id <= 3; ++id) request(origin_.url("/"), id);
  wait_until_short();
  const Fetched first = fetcher_.receive();
  EXPECT_EQ(first.body.size(), kImageBytes);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(receive_use().is_short) << "a sign of life";
  EXPECT_EQ(origin_.requests(), 1) << "the others have not even been requested";
  grant(0, kImageBytes, true);
  EXPECT_EQ(fetcher_.receive().body.size(), kImageBytes);
  grant(1'000'000, 2 * kImageBytes);
  EXPECT_EQ(fetcher_.receive().body.size(), kImageBytes);
}

TEST_F(FetcherMemoryTest, TimeThatADownloadWaitsDoesNotCount) {
  grant(2'000'000);
  request(origin_.url("/chunked"), 1, 500);
  request(origin_.url("/chunked"), 2, 500);
  request(origin_.url("/chunked"), 3, 500);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(fetcher_.receive().body.size(), kImageBytes);
  wait_until_short();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(receive_use().is_short);  // longer than the time-out
  grant(2'000'000, 2 * kImageBytes);
  const Fetched last = fetcher_.receive();
  EXPECT_EQ(last.reply.fault, Fault::kNone) << last.reply.message;
  EXPECT_EQ(last.body.size(), kImageBytes);
}

TEST_F(FetcherMemoryTest, ASilentOriginLendsItsMemory) {
  Gate gate;
  ScriptedOrigin silent([&](const OriginRequest&) {
    gate.arrive_and_wait();
    return answer("200 OK", std::string(kImageBytes, 'x'));
  });
  grant(300'000);
  request(silent.url("/"), 1);
  while (!gate.has_arrived()) std::this_thread::yield();
  grant(100'000);  // less than it has reserved
  request(origin_.url("/"), 2);
  EXPECT_EQ(fetcher_.receive().reply.id, 2u);
  gate.open();
  grant(2'000'000, kImageBytes);
  EXPECT_EQ(fetcher_.receive().body.size(), kImageBytes);
}

}  // namespace
}  // namespace imgpress::test
