// The threads that serve connections: one each, as the HTTP library works.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace imgpress::gateway {

// Connections wait in a short queue; when it is full, enqueue() blocks, and the library accepts no
// more: further clients wait in the kernel's queue.
class ConnectionQueue : public httplib::TaskQueue {
 public:
  ConnectionQueue(std::size_t threads, std::size_t most_waiting);

  // Nothing in older versions of the library, in newer ones whether the connection was taken.
  using Taken = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));
  Taken enqueue(std::function<void()> serve) override;

  // Waits until the connections being served have ended; those that wait are dropped.
  void shutdown() override;

 private:
  void run();

  const std::size_t most_waiting_;
  std::mutex mutex_;  // guards the two below
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::condition_variable arrived_;
  std::condition_variable taken_;
  std::vector<std::thread> threads_;
};

}  // namespace imgpress::gateway
