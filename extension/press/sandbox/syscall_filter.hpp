// A seccomp filter from a table of system calls.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace imgpress::press {

// The argument, masked, has the value. Only the lower half of an argument is looked at: all that
// are asked for here are ints to the kernel, or flags in that half.
struct ArgumentTest {
  unsigned argument = 0;
  std::uint32_t mask = 0;  // 0: no test
  std::uint32_t value = 0;
};

constexpr std::uint32_t kWholeArgument = 0xFFFFFFFF;
constexpr std::size_t kMostTests = 3;
constexpr int kAllowed = 0;

// What a call is answered if it passes the tests: it is allowed, or refused with this error.
struct CallRule {
  long number;
  int error;
  std::array<ArgumentTest, kMostTests> tests{};
};

// For all calls of this process and of the threads that it starts, from now on. The first rule
// decides that has the number and whose tests pass. Calls of another architecture answer EPERM.
// REQUIRES: no_new_privs. Throws std::system_error.
void install_filter(const std::vector<CallRule>& rules, int error_of_others);

}  // namespace imgpress::press
