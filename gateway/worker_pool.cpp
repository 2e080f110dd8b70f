#include "worker_pool.hpp"

namespace imgpress::gateway {

WorkerPool::WorkerPool(std::size_t threads, Work work)
    : most_waiting_(threads), work_(std::move(work)) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  shut_down();
}

void WorkerPool::submit(Socket socket) {
  {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [this] { return stopping_ || queue_.size() < most_waiting_; });
    if (stopping_) return;
    queue_.push_back(std::move(socket));
    waiting_ = queue_.size();
  }
  changed_.notify_one();
}

void WorkerPool::stop_accepting() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    waiting_ = 0;
  }
  changed_.notify_all();
  has_room_.notify_all();
}

void WorkerPool::shut_down() {
  stop_accepting();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::run() {
  for (;;) {
    Socket socket;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      socket = std::move(queue_.front());
      queue_.pop_front();
      waiting_ = queue_.size();
    }
    has_room_.notify_one();
    work_(std::move(socket));
  }
}

}  // namespace imgpress::gateway
