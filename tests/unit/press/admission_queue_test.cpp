#include "press/admission_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace imgpress::press {
namespace {

// Starts everything that may start; "a1 b1" for items a1 and b1.
std::string start_all(AdmissionQueue<std::string>& queue) {
  std::string started;
  std::string item;
  while (queue.start_next(item)) started += (started.empty() ? "" : " ") + item;
  return started;
}

AdmissionQueue<std::string> queue_with(std::size_t total_limit, std::size_t host_limit) {
  AdmissionQueue<std::string> queue(total_limit);
  queue.set_host_limit(host_limit);
  for (const char* item : {"a1", "a2", "a3", "b1", "b2", "c1"}) {
    queue.push(std::string(1, item[0]), item);
  }
  return queue;
}

TEST(AdmissionQueueTest, HostsTakeTurns) {
  auto queue = queue_with(100, 0);
  EXPECT_EQ(start_all(queue), "a1 b1 c1 a2 b2 a3");
}

TEST(AdmissionQueueTest, LimitsEachHost) {
  auto queue = queue_with(100, 1);
  EXPECT_EQ(start_all(queue), "a1 b1 c1");
  EXPECT_EQ(start_all(queue), "");
  queue.finished("b");
  EXPECT_EQ(start_all(queue), "b2");
  queue.finished("a");
  queue.finished("b");
  EXPECT_EQ(start_all(queue), "a2");
}

TEST(AdmissionQueueTest, LimitsTheWhole) {
  auto queue = queue_with(2, 0);
  EXPECT_EQ(start_all(queue), "a1 b1");
  queue.finished("a");
  EXPECT_EQ(start_all(queue), "c1");
  queue.finished("c");
  queue.finished("b");
  EXPECT_EQ(start_all(queue), "a2 b2");
}

TEST(AdmissionQueueTest, LimitsCanChange) {
  auto queue = queue_with(100, 1);
  EXPECT_EQ(start_all(queue), "a1 b1 c1");
  queue.set_host_limit(2);
  EXPECT_EQ(start_all(queue).size(), 5u);  // a2 and b2 in either order
  queue.set_host_limit(1);
  queue.finished("a");
  EXPECT_EQ(start_all(queue), "");
  queue.finished("a");
  EXPECT_EQ(start_all(queue), "a3");
}

TEST(AdmissionQueueTest, ALimitLoweredBeforeTheStartHolds) {
  auto queue = queue_with(100, 2);
  std::string item;
  ASSERT_TRUE(queue.start_next(item));
  queue.set_host_limit(1);
  EXPECT_EQ(item + " " + start_all(queue), "a1 b1 c1");
}

TEST(AdmissionQueueTest, ForgetsHostsThatAreDone) {
  AdmissionQueue<std::unique_ptr<int>> queue(1);
  std::unique_ptr<int> item;
  for (int i = 0; i < 3; ++i) {
    queue.push("a", std::make_unique<int>(i));
    ASSERT_TRUE(queue.start_next(item));
    EXPECT_EQ(*item, i);
    queue.finished("a");
    EXPECT_FALSE(queue.start_next(item));
  }
}

}  // namespace
}  // namespace imgpress::press
