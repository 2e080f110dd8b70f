#include "server/connection_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace imgpress::gateway {
namespace {

TEST(ConnectionQueue, ServesAsManyAsItHasThreadsAtOnce) {
  ConnectionQueue queue(3, 1);
  std::promise<void> all_running;
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  std::atomic<int> running{0};
  for (int i = 0; i < 3; ++i) {
    queue.enqueue([&] {
      if (++running == 3) all_running.set_value();
      ended.wait();
    });
  }
  all_running.get_future().wait();
  end.set_value();
  queue.shutdown();
}

TEST(ConnectionQueue, BlocksTheListenerWhileItIsFull) {
  ConnectionQueue queue(1, 1);
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  std::promise<void> started;
  queue.enqueue([&] {
    started.set_value();
    ended.wait();
  });
  started.get_future().wait();
  std::atomic<int> served{0};
  queue.enqueue([&] { ++served; });  // waits in the queue
  auto third = std::async(std::launch::async, [&] { queue.enqueue([&] { ++served; }); });
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  std::promise<void> last;
  end.set_value();
  third.wait();
  queue.enqueue([&] { last.set_value(); });
  last.get_future().wait();
  EXPECT_EQ(served, 2);
  queue.shutdown();
}

}  // namespace
}  // namespace imgpress::gateway
