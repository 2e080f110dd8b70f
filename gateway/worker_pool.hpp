// A fixed number of threads that serve requests, not all of them for the slow kinds.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "client.hpp"
#include "lane.hpp"
#include "request_head.hpp"

namespace imgpress::gateway {

// A request whose head has come.
struct Job {
  Client client;
  RequestHead head;
  Lane lane = Lane::kQuick;
  bool turned_away = false;  // its lane was full: to be answered with a refusal, quickly
};

using Jobs = std::vector<Job>;

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max() / 2;

struct LaneLimit {
  std::size_t running;       // threads at work for it
  std::size_t waiting;       // jobs; more are turned away
  std::size_t together = 1;  // of those that wait, as many go to one thread at once
};
// In the order of Lane. The quick lane must not be limited: it takes those who are turned away.
using LaneLimits = std::array<LaneLimit, kLanes>;

class WorkerPool {
 public:
  // Takes at least one job, all of the same lane.
  using Work = std::function<void(Jobs)>;

  // The work must not throw. REQUIRES: the other lanes together leave threads to the quick one.
  WorkerPool(std::size_t threads, const LaneLimits& limits, Work work);
  // Ends like shut_down().
  ~WorkerPool();

  // Never blocks. After stop_accepting() the connection is closed instead.
  void submit(Job job);

  // Closes what waits; no work begins any more. May be called from any thread.
  void stop_accepting();

  // The same, and returns when all work has ended. A second call does nothing.
  void shut_down();

 private:
  struct LaneState {
    LaneLimit limit;
    std::size_t running = 0;
    std::deque<Job> queue;

    bool startable() const { return !queue.empty() && running < limit.running; }
  };

  void run();
  LaneState& state_of(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  LaneState* startable_lane();
  Jobs take_jobs(LaneState& lane);

  const Work work_;
  std::mutex mutex_;  // guards the two below
  std::array<LaneState, kLanes> lanes_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace imgpress::gateway
