#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "press/sandbox/resource_limits.hpp"
#include "support/real_press.hpp"

namespace imgpress::test {
namespace {

TEST(ResourceLimits, TheCpuLimitEndsAProcess) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    press::limit_cpu(0);
    for (volatile unsigned work = 0;; work = work + 1) {
    }
  }
  const int status = wait_for_exit(child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGXCPU);
}

}  // namespace
}  // namespace imgpress::test
