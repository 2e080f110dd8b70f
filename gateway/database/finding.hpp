// What the gateway finds when it looks at its database.
#pragma once

#include <string>

#include "database/pool.hpp"

namespace imgpress::gateway {

struct Finding {
  enum class State { kReady, kLoginRefused, kUnavailable, kExtensionMissing };
  State state = State::kUnavailable;
  std::string text;  // a sentence for the log
  std::string cure;  // what to do about it; may be empty
};

// Connects, and looks for the extension and for the rights on it. Throws nothing.
Finding examine_database(Pool& pool, Deadline deadline);

// Looks again and again, and logs what has changed.
[[noreturn]] void watch_database(Pool& pool);

}  // namespace imgpress::gateway
