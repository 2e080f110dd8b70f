// The threads that serve connections: one each, as the HTTP library works.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace imgpress::gateway {

// Connections wait in a short queue; when it is full, enqueue() blocks, and the library accepts no
// more: further clients wait in the kernel's queue.
class ConnectionQueue : public httplib::TaskQueue {
 public:
  // Throws std::runtime_error with a sentence for the user.
  ConnectionQueue(std::size_t threads, std::size_t most_waiting) : most_waiting_(most_waiting) {
    try {
      while (threads_.size() < threads) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
      const std::string made = std::to_string(threads_.size());
      shutdown();
      throw std::runtime_error("only " + made + " of " + std::to_string(threads) +
                               " threads could be started; see ulimit -u, or TasksMax of systemd");
    }
  }

  // Nothing in older versions of the library, in newer ones whether the connection was taken.
  using Taken = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));

  Taken enqueue(std::function<void()> serve) override {
    {
      std::unique_lock lock(mutex_);
      taken_.wait(lock, [this] { return stopping_ || waiting_.size() < most_waiting_; });
      waiting_.push_back(std::move(serve));
    }
    arrived_.notify_one();
    return Taken(true);
  }

  // Waits until the connections being served have ended; those that wait are dropped.
  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      const std::function<void()> serve = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      taken_.notify_one();
      serve();
    }
  }

  const std::size_t most_waiting_;
  std::mutex mutex_;  // guards the two below
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::condition_variable arrived_;
  std::condition_variable taken_;
  std::vector<std::thread> threads_;
};

}  // namespace imgpress::gateway
