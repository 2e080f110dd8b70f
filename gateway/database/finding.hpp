// What the gateway finds when it looks at its database.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "database/pool.hpp"
#include "http/errors.hpp"

namespace imgpress::gateway {

struct Finding {
  std::optional<Error> problem;  // what clients are told; no value if the database is ready
  std::string text;              // a sentence for the log
  std::string cure;              // what to do about it; may be empty
  std::string public_url = {};   // imgpress.public_url, once the database is ready
};

// What clients are told while the database cannot be reached.
Error unreachable();

// Any thread may use it.
class Watch {
 public:
  explicit Watch(Pool& pool) : pool_(pool) {}

  // Connects, and looks for the extension and for the rights on it. Threads that come meanwhile
  // share the next look. Logs what has changed. Throws nothing.
  Finding look();

  // What the last look has found.
  Finding last();

  // Looks again and again.
  [[noreturn]] void run();

 private:
  Pool& pool_;
  std::mutex looking_;  // held during a look
  Clock::time_point look_began_;
  std::mutex mutex_;  // guards the one below
  Finding last_{unreachable(), "", ""};
};

}  // namespace imgpress::gateway
