#include "core/text/ascii.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

std::string characters_for_which(bool (*predicate)(char)) {
  std::string found;
  for (int c = 0; c < 256; ++c) {
    if (predicate(static_cast<char>(c))) found += static_cast<char>(c);
  }
  return found;
}

TEST(Ascii, ClassesHoldNoOtherByte) {
  EXPECT_EQ(characters_for_which(is_digit), "0123456789");
  EXPECT_EQ(characters_for_which(is_hex_digit), "0123456789ABCDEFabcdef");
  EXPECT_EQ(characters_for_which(is_letter),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(characters_for_which(is_space), "\t\n\v\f\r ");
}

TEST(Ascii, LowerCaseLeavesUtf8Alone) {
  EXPECT_EQ(lower_case("AZ[@`\xC3\x84\xC5\xB8"), "az[@`\xC3\x84\xC5\xB8");
}

TEST(Ascii, Prefixes) {
  EXPECT_TRUE(starts_with("abc", "ab"));
  EXPECT_FALSE(starts_with("a", "ab"));
  EXPECT_TRUE(ends_with("abc", "bc"));
  EXPECT_FALSE(ends_with("c", "bc"));
  EXPECT_TRUE(starts_with_ignoring_case("HTTP://x", "http://"));
  EXPECT_FALSE(starts_with_ignoring_case("http:/", "http://"));
  EXPECT_TRUE(equals_ignoring_case("JPeg", "jpEG"));
  EXPECT_FALSE(equals_ignoring_case("jpe", "jpeg"));
}

TEST(Ascii, TrimSpaces) {
  EXPECT_EQ(trim_spaces(" \t\r\n a b \n"), "a b");
  EXPECT_EQ(trim_spaces(" \n "), "");
  EXPECT_EQ(trim_spaces(""), "");
}

TEST(Ascii, PercentEncoding) {
  std::string out = "a";
  append_percent_encoded(out, '/');
  append_percent_encoded(out, '\xE9');
  EXPECT_EQ(out, "a%2F%E9");
}

}  // namespace
}  // namespace imgpress
