#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/real_press.hpp"

namespace imgpress::test {
namespace {

TEST(PressMain, PrintsItsVersion) {
  const auto [status, text] = run_press({"--version"});
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text.find("imgpress-press "), 0u) << text;
}

TEST(PressMain, PrintsItsUsageWhenRunByHand) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"codec"}, {"fetcher"}, {"printer"}, {"codec", "fetcher"}}) {
    const auto [status, text] = run_press(arguments);
    EXPECT_EQ(status, 2);
    EXPECT_NE(text.find("PostgreSQL starts it"), std::string::npos) << text;
  }
  const UniqueFd no_socket(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(run_press({"codec"}, no_socket.get()).first, 2);
}

}  // namespace
}  // namespace imgpress::test
