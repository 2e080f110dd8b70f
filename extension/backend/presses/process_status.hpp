// What the kernel says about a process, in /proc.
#pragma once

#include <cstdint>
#include <optional>

namespace imgpress {

struct ProcessStatus {
  int parent = 0;
  std::int64_t memory_bytes = 0;  // resident
  bool no_new_privs = false;
  int seccomp_filters = -1;  // -1: this kernel does not tell
};

// No value if there is no such process, or if it has ended and is not reaped yet.
std::optional<ProcessStatus> process_status(int pid);

}  // namespace imgpress
