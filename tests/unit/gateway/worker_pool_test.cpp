#include "worker_pool.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>

namespace imgpress::gateway {
namespace {

constexpr auto kLongEnough = std::chrono::seconds(10);

// Work that says when it began and lasts until it is told to end.
class WorkerPoolTest : public testing::Test {
 protected:
  ~WorkerPoolTest() override { release(); }

  void submit(Lane lane, const std::string& name) {
    Job job;
    job.lane = lane;
    job.head.target = name;
    pool.submit(std::move(job));
  }

  void work(const Jobs& jobs) {
    std::unique_lock lock(mutex);
    for (const Job& job : jobs) began[job.head.target] = job.turned_away ? "away" : "served";
    sizes.push_back(jobs.size());
    changed.notify_all();
    if (jobs.front().turned_away || jobs.front().lane == Lane::kQuick) return;
    changed.wait(lock, [&] { return released; });
  }

  // "served", "away" or, when it has not begun in time, "".
  std::string fate_of(const std::string& name) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kLongEnough, [&] { return began.count(name) != 0; });
    return began[name];
  }

  bool has_begun(const std::string& name) {
    const std::lock_guard lock(mutex);
    return began.count(name) != 0;
  }

  void release() {
    const std::lock_guard lock(mutex);
    released = true;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> began;
  std::vector<std::size_t> sizes;
  bool released = false;
  WorkerPool pool{5,
                  {{{2, 0}, {1, 1}, {1, kUnlimited, 3}, {5, kUnlimited}}},
                  [this](const Jobs& jobs) { work(jobs); }};
};

TEST_F(WorkerPoolTest, AFullLaneTurnsAway) {
  submit(Lane::kUpload, "first");
  submit(Lane::kUpload, "second");
  submit(Lane::kUpload, "third");
  EXPECT_EQ(fate_of("first"), "served");
  EXPECT_EQ(fate_of("second"), "served");
  EXPECT_EQ(fate_of("third"), "away");
}

TEST_F(WorkerPoolTest, SlowLanesLeaveThreadsToTheQuickOne) {
  for (const char* name : {"a", "b", "c", "d", "e"}) submit(Lane::kUpload, name);
  for (const char* name : {"f", "g", "h", "i", "j"}) submit(Lane::kDownload, name);
  for (const char* name : {"p", "q", "r", "s", "t"}) submit(Lane::kStatus, name);
  for (const char* name : {"k", "l", "m", "n", "o"}) submit(Lane::kQuick, name);
  for (const char* name : {"k", "l", "m", "n", "o"}) EXPECT_EQ(fate_of(name), "served") << name;
}

TEST_F(WorkerPoolTest, WaitingJobsFollow) {
  submit(Lane::kDownload, "first");
  submit(Lane::kDownload, "second");
  submit(Lane::kDownload, "third");
  EXPECT_EQ(fate_of("first"), "served");
  EXPECT_EQ(fate_of("third"), "away");
  EXPECT_FALSE(has_begun("second"));
  release();
  EXPECT_EQ(fate_of("second"), "served");
}

TEST_F(WorkerPoolTest, WhatWaitsInALaneIsServedTogether) {
  submit(Lane::kStatus, "first");
  EXPECT_EQ(fate_of("first"), "served");
  for (const char* name : {"a", "b", "c", "d"}) submit(Lane::kStatus, name);
  release();
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(fate_of(name), "served") << name;
  pool.shut_down();
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 3, 1}));
}

TEST_F(WorkerPoolTest, NothingBeginsAfterTheEnd) {
  pool.stop_accepting();
  submit(Lane::kQuick, "late");
  pool.shut_down();
  EXPECT_FALSE(has_begun("late"));
}

}  // namespace
}  // namespace imgpress::gateway
