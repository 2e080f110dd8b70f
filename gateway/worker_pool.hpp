// A fixed number of threads that serve requests. Slow lanes may use only some of them.
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

// A request whose head is complete.
struct Job {
  Client client;
  RequestHead head;
  Lane lane = Lane::kQuick;
  bool turned_away = false;  // its lane was full: answer 503
};

using Jobs = std::vector<Job>;

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max() / 2;

struct LaneLimit {
  std::size_t running;       // maximum of threads
  std::size_t waiting;       // maximum of waiting jobs; further ones are turned away
  std::size_t together = 1;  // maximum of jobs that one thread takes at once
};
// In the order of Lane. The quick lane must be unlimited: it answers the jobs that are turned away.
using LaneLimits = std::array<LaneLimit, kLanes>;

class WorkerPool {
 public:
  // Receives one or more jobs of the same lane.
  using Work = std::function<void(Jobs)>;

  // The work must not throw. REQUIRES: the limits of the other lanes leave threads for the quick
  // one.
  WorkerPool(std::size_t threads, const LaneLimits& limits, Work work);
  // Calls shut_down().
  ~WorkerPool();

  // Never blocks. After stop_accepting() it closes the connection instead.
  void submit(Job job);

  // Closes the connections of waiting jobs; no further job starts. Can be called from any thread.
  void stop_accepting();

  // Likewise, and waits until all work has ended. A second call does nothing.
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
