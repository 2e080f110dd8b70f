#include "ascii.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

TEST(GatewayAscii, ClassesLeaveOtherBytesOut) {
  EXPECT_TRUE(is_digit('9') && is_letter('z') && is_letter('Q') && is_hex_digit('F'));
  for (const char c : {'\0', '/', ':', '@', '[', '`', '{', '\x7f', '\xE4'}) {
    EXPECT_FALSE(is_digit(c) || is_letter(c) || is_hex_digit(c)) << int{c};
  }
  EXPECT_FALSE(is_hex_digit('g'));
}

TEST(GatewayAscii, EqualsIgnoringCase) {
  EXPECT_TRUE(equals_ignoring_case("Content-Length", "content-LENGTH"));
  EXPECT_FALSE(equals_ignoring_case("Range", "Ranges"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
}

TEST(GatewayAscii, Trimmed) {
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \t"), "");
}

}  // namespace
}  // namespace imgpress::gateway
