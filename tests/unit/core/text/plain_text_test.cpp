#include "core/text/plain_text.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

TEST(PlainText, KeepsPrintableAscii) {
  EXPECT_EQ(plain_text("HTTP 404 ~!"), "HTTP 404 ~!");
}

TEST(PlainText, ReplacesEverythingElse) {
  EXPECT_EQ(plain_text(std::string_view("a\0b\n\x1b[31m\xC3\xA4\x7f", 12)), "a?b??[31m???");
}

TEST(PlainText, IsBounded) {
  EXPECT_EQ(plain_text(std::string(9999, 'x')).size(), 500u);
}

}  // namespace
}  // namespace imgpress
