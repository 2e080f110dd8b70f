#include "core/input/csv/csv_encoding.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

std::optional<InputFault> find_encoding_fault(std::string_view bytes) {
  WorkMeter meter;
  return imgpress::find_encoding_fault(bytes, meter);
}

std::string as_utf8(std::string_view bytes) {
  WorkMeter meter;
  Utf8Pieces pieces(bytes);
  std::string all;
  std::string piece(Utf8Pieces::kMaxPieceBytes, '\0');
  while (const std::size_t count = pieces.read(piece.data(), meter)) all.append(piece, 0, count);
  return all;
}

std::string utf16(std::u16string_view text, bool big) {
  std::string bytes;
  for (const char16_t unit : text) {
    const char pair[] = {static_cast<char>(unit >> 8), static_cast<char>(unit)};
    bytes += {pair[big ? 0 : 1], pair[big ? 1 : 0]};
  }
  return bytes;
}

TEST(FindEncodingFault, AcceptsUtf8) {
  EXPECT_FALSE(find_encoding_fault(""));
  EXPECT_FALSE(find_encoding_fault("\xEF\xBB\xBFs,\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\n"));
}

TEST(FindEncodingFault, NamesTheLine) {
  const auto fault = find_encoding_fault("a\nb\ncaf\xE9,x\n");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->line, 3);
  EXPECT_NE(fault->message.find("CSV UTF-8"), std::string::npos);
}

TEST(FindEncodingFault, RefusesMalformedUtf8) {
  for (const char* bytes : {"\xC0\xAF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                            "\x80", "\xF0\x9F\x98"}) {
    EXPECT_TRUE(find_encoding_fault(bytes));
  }
  EXPECT_TRUE(find_encoding_fault(std::string_view("a\0b", 3)));
}

TEST(FindEncodingFault, CountsEveryKindOfLineEnd) {
  EXPECT_EQ(find_encoding_fault("a\r\nb\rc\n\xE9")->line, 4);
  EXPECT_EQ(find_encoding_fault(utf16(u"\uFEFFa\r\nb\rc\n\xD800z", false))->line, 4);
}

TEST(FindEncodingFault, NamesForeignFiles) {
  const auto message = [](std::string_view bytes) { return find_encoding_fault(bytes)->message; };
  EXPECT_NE(message("PK\x03\x04rest").find("spreadsheet"), std::string::npos);
  EXPECT_EQ(message("\xFF\xD8\xFF\xE0").find("this is a JPEG image, not a CSV"), 0u);
}

TEST(FindEncodingFault, RefusesMalformedUtf16) {
  for (const bool big : {false, true}) {
    EXPECT_FALSE(find_encoding_fault(utf16(u"\uFEFFa\u00e4\u20ac\U0001F600", big)));
    EXPECT_TRUE(find_encoding_fault(utf16(u"\uFEFFa\xD83D", big)));
    EXPECT_TRUE(find_encoding_fault(utf16(u"\uFEFF\xDE00z", big)));
    EXPECT_TRUE(find_encoding_fault(utf16(u"\uFEFFa", big) + 'x'));
  }
  EXPECT_TRUE(find_encoding_fault(utf16({u"\uFEFFa\0z", 4}, false)));
  EXPECT_NE(find_encoding_fault({"\xFF\xFE\0\0a\0\0\0", 8})->message.find("UTF-32"),
            std::string::npos);
}

TEST(Utf8Pieces, AreTheTextWithoutItsByteOrderMark) {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";
  EXPECT_EQ(as_utf8("\xEF\xBB\xBF" + text), text);
  EXPECT_EQ(as_utf8(utf16(u"\uFEFFa\u00e4\u20ac\U0001F600", false)), text);
  EXPECT_EQ(as_utf8(utf16(u"\uFEFFa\u00e4\u20ac\U0001F600", true)), text);
  EXPECT_EQ(as_utf8(""), "");
}

TEST(Utf8Pieces, HoldWholeCharacters) {
  WorkMeter meter;
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string text(shift, 'x');
    while (text.size() < 3 * Utf8Pieces::kMaxPieceBytes) text += "\xF0\x9F\x98\x80";
    Utf8Pieces pieces(text);
    std::string piece(Utf8Pieces::kMaxPieceBytes, '\0');
    std::string all;
    while (const std::size_t count = pieces.read(piece.data(), meter)) {
      EXPECT_FALSE(find_encoding_fault({piece.data(), count}));
      all.append(piece, 0, count);
    }
    EXPECT_EQ(all, text);
  }
}

TEST(ByteOrderMark, MustBeComplete) {
  EXPECT_EQ(byte_order_mark_length("\xEF\xBB\xBF"
                                   "a"),
            3u);
  EXPECT_EQ(byte_order_mark_length("\xEF\xBB"), 0u);
  EXPECT_EQ(byte_order_mark_length("a"), 0u);
}

TEST(SeparatorLine, IsSkippedWhole) {
  EXPECT_EQ(separator_line_length("sep=;\r\na;b"), 7u);
  EXPECT_EQ(separator_line_length("sep=,\na,b"), 6u);
  EXPECT_EQ(separator_line_length("separate,b\n"), 0u);
  EXPECT_EQ(separator_line_length("a,b\n"), 0u);
  EXPECT_EQ(separator_line_length("sep=;"), 0u);
}

}  // namespace
}  // namespace imgpress
