// Which system calls each role may make.
#pragma once

#include <vector>

#include "press/sandbox/syscall_filter.hpp"

namespace imgpress::press {

// REQUIRES: the process id will not change (no fork): the rules contain it.
std::vector<CallRule> codec_calls();
std::vector<CallRule> fetcher_calls();

// For calls without a rule: ENOSYS, so that a newer C library falls back to older calls.
int error_of_other_calls();

}  // namespace imgpress::press
