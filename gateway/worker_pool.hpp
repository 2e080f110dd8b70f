// A fixed number of threads that serve requests, not all of them for the slow kinds.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
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

struct LaneLimit {
  std::size_t running;
  std::size_t waiting;
};
// In the order of Lane. The quick lane turns nobody away, whatever it says here.
using LaneLimits = std::array<LaneLimit, kLanes>;

class WorkerPool {
 public:
  using Work = std::function<void(Job)>;

  // The work must not throw. REQUIRES: the slow lanes together leave threads to the quick one.
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
    std::size_t running;
    std::deque<Job> queue;
  };

  void run();
  LaneState& state_of(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  std::optional<Job> next_job();

  const Work work_;
  std::mutex mutex_;  // guards the two below
  std::array<LaneState, kLanes> lanes_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace imgpress::gateway
