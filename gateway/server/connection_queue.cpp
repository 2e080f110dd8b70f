#include "server/connection_queue.hpp"

namespace imgpress::gateway {

ConnectionQueue::ConnectionQueue(std::size_t threads, std::size_t most_waiting)
    : most_waiting_(most_waiting) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

ConnectionQueue::Taken ConnectionQueue::enqueue(std::function<void()> serve) {
  {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [this] { return stopping_ || waiting_.size() < most_waiting_; });
    waiting_.push_back(std::move(serve));
  }
  arrived_.notify_one();
  return Taken(true);
}

void ConnectionQueue::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  arrived_.notify_all();
  taken_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ConnectionQueue::run() {
  for (;;) {
    std::function<void()> serve;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      serve = std::move(waiting_.front());
      waiting_.pop_front();
    }
    taken_.notify_one();
    serve();
  }
}

}  // namespace imgpress::gateway
