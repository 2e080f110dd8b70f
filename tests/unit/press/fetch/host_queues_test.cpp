#include "press/fetch/hosts/host_queues.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace imgpress::press {
namespace {

// Starts everything that may start; "a1 b1" for items a1 and b1.
std::string start_all(HostQueues<std::string>& queue) {
  std::string started;
  std::string item;
  while (queue.start_next(item)) started += (started.empty() ? "" : " ") + item;
  return started;
}

HostQueues<std::string> queue_with(std::size_t total_limit, int connections_per_host) {
  HostQueues<std::string> queue(total_limit);
  queue.set_host_limits({connections_per_host});
  for (const char* item : {"a1", "a2", "a3", "b1", "b2", "c1"}) {
    queue.push(std::string(1, item[0]), item);
  }
  return queue;
}

TEST(HostQueuesTest, HostsTakeTurns) {
  auto queue = queue_with(100, 100);
  EXPECT_EQ(start_all(queue), "a1 b1 c1 a2 b2 a3");
}

TEST(HostQueuesTest, LimitsEachHost) {
  auto queue = queue_with(100, 1);
  EXPECT_EQ(start_all(queue), "a1 b1 c1");
  EXPECT_EQ(start_all(queue), "");
  queue.finished("b", queue.newest(), {});
  EXPECT_EQ(start_all(queue), "b2");
  queue.finished("a", queue.newest(), {});
  queue.finished("b", queue.newest(), {});
  EXPECT_EQ(start_all(queue), "a2");
}

TEST(HostQueuesTest, TransfersThatHangDoNotBlockOthers) {
  HostQueues<std::string> queue(100);
  queue.set_host_limits({8});
  for (int i = 0; i < 12; ++i) queue.push("a", "x");
  EXPECT_EQ(start_all(queue), "x x x x x x");  // the first allowance
  queue.count_as_slow("a");
  queue.count_as_slow("a");
  queue.count_as_slow("a");
  EXPECT_EQ(start_all(queue), "x x");  // up to the fixed limit
  EXPECT_TRUE(queue.has_waiting());
  HostReaction timed_out{HostReaction::Kind::kUnanswered};
  timed_out.counted_as_slow = true;
  queue.finished("a", 1, timed_out);
  EXPECT_EQ(start_all(queue), "x");
}

TEST(HostQueuesTest, LimitsAllHostsTogether) {
  auto queue = queue_with(2, 100);
  EXPECT_EQ(start_all(queue), "a1 b1");
  queue.finished("a", queue.newest(), {});
  EXPECT_EQ(start_all(queue), "c1");
  queue.finished("c", queue.newest(), {});
  queue.finished("b", queue.newest(), {});
  EXPECT_EQ(start_all(queue), "a2 b2");
}

TEST(HostQueuesTest, LimitsCanChange) {
  auto queue = queue_with(100, 1);
  EXPECT_EQ(start_all(queue), "a1 b1 c1");
  queue.set_host_limits({2});
  EXPECT_EQ(start_all(queue).size(), 5u);  // a2 and b2 in either order
  queue.set_host_limits({1});
  queue.finished("a", queue.newest(), {});
  EXPECT_EQ(start_all(queue), "");
  queue.finished("a", queue.newest(), {});
  EXPECT_EQ(start_all(queue), "a3");
}

TEST(HostQueuesTest, ALimitLoweredBeforeTheStartIsObeyed) {
  auto queue = queue_with(100, 2);
  std::string item;
  ASSERT_TRUE(queue.start_next(item));
  queue.set_host_limits({1});
  EXPECT_EQ(item + " " + start_all(queue), "a1 b1 c1");
}

TEST(HostQueuesTest, ForgetsHostsThatAreDone) {
  HostQueues<std::unique_ptr<int>> queue(1);
  std::unique_ptr<int> item;
  for (int i = 0; i < 3; ++i) {
    queue.push("a", std::make_unique<int>(i));
    ASSERT_TRUE(queue.start_next(item));
    EXPECT_EQ(*item, i);
    queue.finished("a", queue.newest(), {});
    EXPECT_FALSE(queue.start_next(item));
  }
}

using TimePoint = HostQueues<std::string>::TimePoint;
using std::chrono::seconds;

class PauseTest : public ::testing::Test {
 protected:
  // One transfer of host a has been answered, and asks for a pause.
  PauseTest() {
    for (const char* item : {"a1", "a2", "a3"}) queue_.push("a", item);
    queue_.start_next(first_);
    queue_.pause("a", kEnd);
  }

  static constexpr TimePoint kEnd{seconds(1000)};
  HostQueues<std::string> queue_{100};
  std::string first_;
};

TEST_F(PauseTest, HoldsItsHostAndNoOther) {
  queue_.push("b", "b1");
  EXPECT_EQ(start_all(queue_), "b1");
  queue_.finished("a", 1, {});
  queue_.push("a", "a4");
  EXPECT_EQ(start_all(queue_), "");
}

TEST_F(PauseTest, EndsInTime) {
  EXPECT_EQ(queue_.next_pause_end(), kEnd);
  queue_.end_pauses(kEnd - seconds(1));
  EXPECT_EQ(start_all(queue_), "");
  EXPECT_EQ(queue_.pause_end("a"), kEnd);
  queue_.end_pauses(kEnd);
  EXPECT_EQ(start_all(queue_), "a2 a3");
  EXPECT_EQ(queue_.next_pause_end(), TimePoint::max());
  EXPECT_EQ(queue_.pause_end("a"), HostQueues<std::string>::kNoPause);
}

TEST_F(PauseTest, OfTwoTheLaterEndCounts) {
  queue_.pause("a", kEnd + seconds(5));
  queue_.pause("a", kEnd + seconds(1));
  queue_.end_pauses(kEnd + seconds(4));
  EXPECT_EQ(start_all(queue_), "");
  queue_.end_pauses(kEnd + seconds(5));
  EXPECT_EQ(start_all(queue_), "a2 a3");
}

TEST_F(PauseTest, SpreadsThePostponedItemsMoreWithEachFurtherPause) {
  const auto most_skipped = [&] {
    std::size_t most = 0;
    for (int i = 0; i < 100; ++i) most = std::max(most, queue_.pauses_to_skip("a"));
    return most;
  };
  EXPECT_EQ(queue_.pauses_to_skip("a"), 0u);
  EXPECT_EQ(most_skipped(), 1u);
  queue_.end_pauses(kEnd);
  queue_.pause("a", kEnd + seconds(1));
  EXPECT_EQ(queue_.pauses_to_skip("a"), 0u);
  EXPECT_EQ(most_skipped(), 2u);
}

TEST_F(PauseTest, IsRememberedAfterTheWaitingItemsWereTaken) {
  EXPECT_EQ(queue_.take_waiting("a", 0).size(), 2u);
  EXPECT_FALSE(queue_.has_waiting());
  queue_.finished("a", 1, {});
  EXPECT_EQ(queue_.pause_end("a"), kEnd);
  queue_.push("a", "a4");
  EXPECT_EQ(queue_.take_waiting("a", 0).size(), 1u);
  queue_.end_pauses(kEnd);
  queue_.push("a", "a5");
  EXPECT_EQ(start_all(queue_), "a5");
}

TEST(HostQueuesTest, AHostThatWasForgottenWhileItWasReadyIsSkipped) {
  HostQueues<std::string> queue(1);
  std::string item;
  queue.push("busy", "x");
  ASSERT_TRUE(queue.start_next(item));
  queue.push("a", "a1");  // ready, but there is no room for it
  EXPECT_EQ(queue.take_waiting("a", 0).size(), 1u);
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "other" + std::to_string(i);
    queue.push(name, "x");
    queue.take_waiting(name, 0);
  }
  queue.finished("busy", 1, {});
  EXPECT_EQ(start_all(queue), "");
}

void push_many(HostQueues<std::string>& queue, const std::string& host, int count) {
  for (int i = 0; i < count; ++i) queue.push(host, "x");
}

std::size_t count_started(HostQueues<std::string>& queue) {
  std::size_t count = 0;
  std::string item;
  while (queue.start_next(item)) ++count;
  return count;
}

TEST(HostQueuesTest, BeginsWithFewAndGrowsToTheLimit) {
  HostQueues<std::string> queue(100);
  queue.set_host_limits({10});
  push_many(queue, "a", 100);
  EXPECT_EQ(count_started(queue), 6u);
  HostReaction kept;
  kept.kept_connection = true;
  queue.finished("a", 1, kept);
  EXPECT_EQ(count_started(queue), 4u);
  queue.finished("a", 2, kept);
  EXPECT_EQ(count_started(queue), 2u);
  for (std::uint64_t i = 3; i < 30; ++i) {
    queue.finished("a", i, kept);
    EXPECT_EQ(count_started(queue), 1u);
  }
}

TEST(HostQueuesTest, ACongestedHostIsLimitedAndNoOther) {
  HostQueues<std::string> queue(100);
  push_many(queue, "a", 20);
  push_many(queue, "b", 20);
  EXPECT_EQ(count_started(queue), 12u);
  queue.note_congestion("a", 1);  // 3 from now on
  for (std::uint64_t i = 0; i < 3; ++i) queue.finished("a", 1, {});
  EXPECT_EQ(count_started(queue), 0u);
  queue.finished("a", 1, {});
  queue.finished("b", 2, {});
  EXPECT_EQ(count_started(queue), 2u);
}

TEST(HostQueuesTest, DoesNotRaiseAnAllowanceThatIsNotUsed) {
  HostQueues<std::string> queue(100);
  for (int i = 0; i < 50; ++i) {
    push_many(queue, "a", 1);
    EXPECT_EQ(count_started(queue), 1u);
    queue.finished("a", queue.newest(), {});
  }
  push_many(queue, "a", 50);
  EXPECT_EQ(count_started(queue), 6u);
}

// Runs one transfer of `host` from its start to its end.
void visit(HostQueues<std::string>& queue, const std::string& host) {
  push_many(queue, host, 1);
  ASSERT_EQ(count_started(queue), 1u);
  queue.finished(host, queue.newest(), {});
}

TEST(HostQueuesTest, RemembersTheLastThousandHosts) {
  HostQueues<std::string> queue(100);
  push_many(queue, "a", 1);
  ASSERT_EQ(count_started(queue), 1u);
  queue.note_congestion("a", 1);
  queue.finished("a", 1, {});
  for (int i = 0; i < 999; ++i) visit(queue, "other" + std::to_string(i));
  visit(queue, "a");  // the most recent one again
  for (int i = 0; i < 999; ++i) visit(queue, "more" + std::to_string(i));
  push_many(queue, "a", 10);
  EXPECT_EQ(count_started(queue), 3u);
  for (std::uint64_t i = 0; i < 10; ++i) {
    queue.finished("a", 1, {});
    count_started(queue);
  }
  for (int i = 0; i < 1000; ++i) visit(queue, "new" + std::to_string(i));
  push_many(queue, "a", 10);
  EXPECT_EQ(count_started(queue), 6u);
}

HostRule rule(std::uint32_t interval_us, std::uint32_t connections, bool paused = false) {
  return {"", interval_us, connections, paused};
}

TEST(HostQueuesTest, ARulePausesItsHostAndNoOther) {
  auto queue = queue_with(100, 100);
  queue.set_rules([](const std::string& host) { return rule(0, 0, host == "a"); });
  queue.push("a", "a4");
  EXPECT_EQ(start_all(queue), "b1 c1 b2");
  EXPECT_TRUE(queue.is_paused_by_rule("a"));
  EXPECT_FALSE(queue.is_paused_by_rule("b"));
  queue.set_rules([](const std::string&) { return HostRule(); });
  EXPECT_EQ(start_all(queue), "a1 a2 a3 a4");
}

TEST(HostQueuesTest, ARuleSetsTheConnectionsOfItsHost) {
  auto queue = queue_with(100, 1);
  queue.set_rules([](const std::string& host) { return rule(0, host == "a" ? 2 : 0); });
  EXPECT_EQ(start_all(queue).size(), 11u);  // a1 a2 b1 c1
}

TEST(HostQueuesTest, ALimitedRateIsKeptAndWakesTheOwner) {
  HostQueues<std::string> queue(100);
  const TimePoint begin{seconds(1000)};
  queue.end_pauses(begin);
  queue.set_rules([](const std::string& host) { return rule(host == "a" ? 2'000'000 : 0, 0); });
  for (const char* item : {"a1", "a2", "b1", "b2"}) queue.push(std::string(1, item[0]), item);
  EXPECT_EQ(start_all(queue), "a1 b1 b2");
  const TimePoint next = queue.next_pause_end();
  EXPECT_GT(next, begin + seconds(1));
  EXPECT_LE(next, begin + seconds(2));
  queue.end_pauses(next - std::chrono::milliseconds(1));
  EXPECT_EQ(start_all(queue), "");
  queue.end_pauses(next);
  EXPECT_EQ(start_all(queue), "a2");
  EXPECT_EQ(queue.next_pause_end(), TimePoint::max()) << "nothing waits";
}

TEST(HostQueuesTest, ARuleThatGoesFreesWhatWaitedForIt) {
  HostQueues<std::string> queue(100);
  queue.end_pauses(TimePoint{seconds(1000)});
  queue.set_rules([](const std::string&) { return rule(3'600'000'000, 0); });
  push_many(queue, "a", 3);
  EXPECT_EQ(count_started(queue), 1u);
  queue.set_rules([](const std::string&) { return HostRule(); });
  EXPECT_EQ(count_started(queue), 2u);
}

TEST(HostQueuesTest, TellsWhatIsKnownOfTheBusiestHosts) {
  HostQueues<std::string> queue(100);
  queue.set_host_limits({2});
  push_many(queue, "a", 5);
  EXPECT_EQ(count_started(queue), 2u);
  queue.note_error("a", "HTTP 404");
  for (int i = 0; i < 40; ++i) visit(queue, "other" + std::to_string(i));
  const auto states = queue.states(TimePoint{});
  ASSERT_EQ(states.size(), kReportedHosts);
  EXPECT_EQ(states[0].host, "a");
  EXPECT_EQ(states[0].connections, 2u);
  EXPECT_EQ(states[0].waiting, 3u);
  EXPECT_EQ(states[0].allowed, 2u);
  EXPECT_NEAR(states[0].starts_per_1000_s, 400, 1) << "two, and none in the seconds before";
  EXPECT_EQ(states[0].last_error, "HTTP 404");
}

TEST(HostQueuesTest, RatesFadeToNothing) {
  HostQueues<std::string> queue(100);
  visit(queue, "a");
  EXPECT_GT(queue.states(TimePoint{})[0].starts_per_1000_s, 0u);
  for (int i = 0; i < 20; ++i) queue.states(TimePoint{});
  EXPECT_EQ(queue.states(TimePoint{})[0].starts_per_1000_s, 0u);
}

}  // namespace
}  // namespace imgpress::press
