// A gate at which the threads of an origin wait until the test opens it.
#pragma once

#include <condition_variable>
#include <mutex>

namespace imgpress::test {

class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
    has_arrived_ = true;
    changed_.wait(lock, [&] { return is_open_; });
  }
  bool has_arrived() {
    const std::lock_guard lock(mutex_);
    return has_arrived_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  bool has_arrived_ = false;
};

}  // namespace imgpress::test
