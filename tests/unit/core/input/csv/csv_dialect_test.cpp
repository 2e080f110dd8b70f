#include "core/input/csv/csv_dialect.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

char delimiter(std::string_view text, char named = '\0') {
  WorkMeter meter;
  return detect_dialect(text, named, meter).delimiter;
}

TEST(DetectDialect, FindsTheDelimiterThatShowsTheColumns) {
  EXPECT_EQ(delimiter("S. No.,Product Name,Input Image Urls"), ',');
  EXPECT_EQ(delimiter("S. No.;Product Name;Input Image Urls"), ';');
  EXPECT_EQ(delimiter("S. No.\tProduct Name\tInput Image Urls"), '\t');
  EXPECT_EQ(delimiter("S. No.|Product Name|Input Image Urls"), '|');
  EXPECT_EQ(delimiter("\"S. No.\";\"Product Name\";\"URLs\""), ';');
  EXPECT_EQ(delimiter("\n\nS. No.;\"Size, in cm\";Product Name;URLs"), ';');
  EXPECT_EQ(delimiter(""), ',');
}

TEST(DetectDialect, PrefersTheDeclaredDelimiterIfBothFit) {
  EXPECT_EQ(delimiter("S. No.^Product Name^URLs", '^'), '^');
  EXPECT_EQ(delimiter("S. No.,Product Name,URLs", ';'), ',');
}

TEST(DetectDialect, ApostrophesQuoteIfTheHeaderBeginsWithOne) {
  WorkMeter meter;
  EXPECT_EQ(detect_dialect("'S. No.','Product Name','URLs'", '\0', meter).quote, '\'');
  EXPECT_EQ(detect_dialect("S. No.,Product Name,URLs", '\0', meter).quote, '"');
}

TEST(FindHeaderBelow, SearchesTheFirstLinesOnly) {
  WorkMeter meter;
  EXPECT_EQ(find_header_below("Products\n\nS. No.;Product Name;URLs\n", meter), 3);
  EXPECT_EQ(find_header_below("Products\n1,2,3\n", meter), 0);
  EXPECT_EQ(find_header_below(std::string(50, '\n') + "a\n" + "S. No.,Product Name\n", meter), 52);
  std::string far;
  for (int i = 0; i < 50; ++i) far += "a\n";
  EXPECT_EQ(find_header_below(far + "S. No.,Product Name\n", meter), 0);
}

TEST(IsWholeHeader, NeedsTwoHeadings) {
  WorkMeter meter;
  EXPECT_TRUE(is_whole_header("S. No.,Product Name,URLs", meter));
  EXPECT_TRUE(is_whole_header("S. No.;Product Name", meter));
  EXPECT_FALSE(is_whole_header("S. No.", meter));
}

}  // namespace
}  // namespace imgpress
