// What the gateway finds when it looks at its database.
#pragma once

#include <mutex>
#include <string>

#include "database/pool.hpp"

namespace imgpress::gateway {

struct Finding {
  enum class State { kReady, kLoginRefused, kUnavailable, kExtensionMissing };
  State state = State::kUnavailable;
  std::string text;  // a sentence for the log
  std::string cure;  // what to do about it; may be empty
};

// Any thread may use it.
class Watch {
 public:
  explicit Watch(Pool& pool) : pool_(pool) {}

  // Connects, and looks for the extension and for the rights on it. Logs what has changed. Throws
  // nothing.
  Finding look();

  // What the last look has found.
  Finding last();

  // Looks again and again.
  [[noreturn]] void run();

 private:
  Pool& pool_;
  std::mutex mutex_;  // guards the one below
  Finding last_;
};

}  // namespace imgpress::gateway
