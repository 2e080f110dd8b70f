#include "core/csv_encoding.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

TEST(FindEncodingFault, TakesUtf8) {
  EXPECT_FALSE(find_encoding_fault(""));
  EXPECT_FALSE(find_encoding_fault("\xEF\xBB\xBFs,\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\n"));
}

TEST(FindEncodingFault, NamesTheLine) {
  const auto fault = find_encoding_fault("a\nb\ncaf\xE9,x\n");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->line, 3);
  EXPECT_NE(fault->message.find("CSV UTF-8"), std::string::npos);
}

TEST(FindEncodingFault, RefusesWhatIsNotWellFormed) {
  for (const char* bytes : {"\xC0\xAF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                            "\x80", "\xF0\x9F\x98"}) {
    EXPECT_TRUE(find_encoding_fault(bytes));
  }
  EXPECT_TRUE(find_encoding_fault(std::string_view("a\0b", 3)));
}

TEST(FindEncodingFault, KnowsWhatSpreadsheetsSave) {
  EXPECT_NE(find_encoding_fault("PK\x03\x04rest")->message.find("spreadsheet"), std::string::npos);
  EXPECT_NE(find_encoding_fault(std::string_view("\xFF\xFEs\0", 4))->message.find("UTF-16"),
            std::string::npos);
}

TEST(ByteOrderMark, IsOnlyOneWhenWhole) {
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
}

}  // namespace
}  // namespace imgpress
