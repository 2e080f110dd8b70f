// A fixed number of threads that serve accepted connections.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "socket.hpp"

namespace imgpress::gateway {

class WorkerPool {
 public:
  using Work = std::function<void(Socket)>;

  // The work must not throw.
  WorkerPool(std::size_t threads, Work work);
  // Ends like shut_down().
  ~WorkerPool();

  // Blocks while every thread is busy and as many connections wait: then the kernel's queue, which
  // costs nothing here, takes the rest. After shut_down() the socket is closed instead.
  void submit(Socket socket);

  // How many connections wait for a thread. Cheap.
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  // Closes what waits, and returns when all work has ended. A second call does nothing.
  void shut_down();

  // Makes submit() stop blocking. May be called from any thread.
  void stop_accepting();

 private:
  void run();

  const std::size_t most_waiting_;
  const Work work_;
  std::atomic<std::size_t> waiting_{0};
  std::mutex mutex_;  // guards the two below
  std::deque<Socket> queue_;
  bool stopping_ = false;
  std::condition_variable changed_;   // something to do
  std::condition_variable has_room_;  // something was taken
  std::vector<std::thread> threads_;
};

}  // namespace imgpress::gateway
