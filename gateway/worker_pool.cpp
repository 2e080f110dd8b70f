#include "worker_pool.hpp"

namespace imgpress::gateway {

WorkerPool::WorkerPool(std::size_t threads, const LaneLimits& limits, Work work)
    : work_(std::move(work)),
      lanes_{LaneState{limits[0], 0, {}}, LaneState{limits[1], 0, {}},
             LaneState{{threads, 0}, 0, {}}} {
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
    const std::size_t places = wanted.limit.running + wanted.limit.waiting;
    if (job.lane != Lane::kQuick && wanted.running + wanted.queue.size() >= places) {
      job.turned_away = true;
      job.lane = Lane::kQuick;
    }
    state_of(job.lane).queue.push_back(std::move(job));
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

// The slow lanes come first: their limits keep threads for the quick one, but nothing else keeps
// any for them.
std::optional<Job> WorkerPool::next_job() {
  for (LaneState& lane : lanes_) {
    if (lane.queue.empty() || lane.running >= lane.limit.running) continue;
    std::optional<Job> job(std::move(lane.queue.front()));
    lane.queue.pop_front();
    ++lane.running;
    return job;
  }
  return std::nullopt;
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::optional<Job> job;
    changed_.wait(lock, [&] { return stopping_ || (job = next_job()); });
    if (!job) return;
    const Lane lane = job->lane;
    lock.unlock();
    work_(std::move(*job));
    job.reset();
    lock.lock();
    --state_of(lane).running;
  }
}

}  // namespace imgpress::gateway
