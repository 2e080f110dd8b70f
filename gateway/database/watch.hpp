// Logs when the database becomes usable or unusable, and why.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "database/finding.hpp"

namespace imgpress::gateway {

class Watch {
 public:
  explicit Watch(Pool& pool) : pool_(pool), thread_([this] { run(); }) {}
  ~Watch();

  // Looks at once, because a request has failed. May be called from any thread.
  void look();

 private:
  void run();

  Pool& pool_;
  std::mutex mutex_;  // guards the two below
  bool wanted_ = false;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace imgpress::gateway
