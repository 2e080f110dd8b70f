#include "worker_pool.hpp"

#include <algorithm>
#include <iterator>

namespace imgpress::gateway {

WorkerPool::WorkerPool(std::size_t threads, const LaneLimits& limits, Work work)
    : work_(std::move(work)) {
  for (std::size_t i = 0; i < kLanes; ++i) lanes_[i].limit = limits[i];
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  shut_down();
}

void WorkerPool::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const LaneState& wanted = state_of(job.lane);
    if (wanted.running + wanted.queue.size() >= wanted.limit.running + wanted.limit.waiting) {
      job.turned_away = true;
      job.lane = Lane::kQuick;
    }
    LaneState& lane = state_of(job.lane);
    lane.queue.push_back(std::move(job));
    // If other jobs wait, a thread has been woken for them, or the lane is at its limit.
    if (lane.queue.size() > 1 || !lane.startable()) return;
  }
  changed_.notify_one();
}

void WorkerPool::stop_accepting() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (LaneState& lane : lanes_) lane.queue.clear();
  }
  changed_.notify_all();
}

void WorkerPool::shut_down() {
  stop_accepting();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

// The first lane with a job that may start, nullptr if there is none. Slow lanes come first: their
// limits leave threads for the quick lane, but the quick lane has no limit.
WorkerPool::LaneState* WorkerPool::startable_lane() {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [](const LaneState& lane) { return lane.startable(); });
  return found == lanes_.end() ? nullptr : &*found;
}

Jobs WorkerPool::take_jobs(LaneState& lane) {
  const auto begin = lane.queue.begin();
  const auto end = begin + std::min(lane.queue.size(), lane.limit.together);
  Jobs jobs(std::make_move_iterator(begin), std::make_move_iterator(end));
  lane.queue.erase(begin, end);
  return jobs;
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    LaneState* lane = nullptr;
    changed_.wait(lock, [&] { return stopping_ || (lane = startable_lane()) != nullptr; });
    if (lane == nullptr) return;
    Jobs jobs = take_jobs(*lane);
    ++lane->running;
    const bool more = startable_lane() != nullptr;
    lock.unlock();
    if (more) changed_.notify_one();
    work_(std::move(jobs));
    lock.lock();
    --lane->running;
  }
}

}  // namespace imgpress::gateway
