#include "core/text/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace imgpress {
namespace {

TEST(Utf8, EveryCodePointIsWrittenAsItIsRead) {
  for (char32_t code = 1; code <= 0x10FFFF; ++code) {
    const bool is_surrogate = is_high_surrogate(code) || is_low_surrogate(code);
    const Utf8Character encoded = encode_utf8(code);
    ASSERT_EQ(utf8_character_length(encoded.view()), is_surrogate ? 0 : encoded.length) << code;
  }
  EXPECT_EQ(encode_utf8(0xE4).view(), "\xC3\xA4");
  EXPECT_EQ(encode_utf8(0x20AC).view(), "\xE2\x82\xAC");
  EXPECT_EQ(encode_utf8(0x1F600).view(), "\xF0\x9F\x98\x80");
}

TEST(Utf8, MalformedCharactersHaveNoLength) {
  for (const char* bytes : {"", "\x80", "\xC0\xAF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xED\xA0\x80",
                            "\xE2\x82", "\xF0\x8F\x80\x80", "\xF0\x9F\x98", "\xF4\x90\x80\x80"}) {
    EXPECT_EQ(utf8_character_length(bytes), 0u) << bytes;
  }
  EXPECT_EQ(utf8_character_length(std::string(1, '\0')), 0u);
}

TEST(Utf8, SurrogatesAreJoined) {
  EXPECT_EQ(join_surrogates(0xD800, 0xDC00), char32_t{0x10000});
  EXPECT_EQ(join_surrogates(0xD83D, 0xDE00), char32_t{0x1F600});
  EXPECT_EQ(join_surrogates(0xDBFF, 0xDFFF), char32_t{0x10FFFF});
}

TEST(Utf8, TextIsCutBetweenCharacters) {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC";
  EXPECT_EQ(cut_at_character(text, 6), text);
  EXPECT_EQ(cut_at_character(text, 5), "a\xC3\xA4");
  EXPECT_EQ(cut_at_character(text, 2), "a");
  EXPECT_EQ(cut_at_character(text, 0), "");
}

}  // namespace
}  // namespace imgpress
