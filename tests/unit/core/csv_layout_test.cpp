#include "core/csv_layout.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

class Layout : public testing::Test {
 protected:
  std::optional<CsvLayout> from(const CsvFields& header, char delimiter = ',') {
    return CsvLayout::from_header(1, header, delimiter, faults_);
  }
  std::vector<InputFault> faults_;
  std::string joined_;
};

TEST(DetectDelimiter, IsTheOneThatShowsTheColumns) {
  EXPECT_EQ(detect_delimiter("S. No.,Product Name,Input Image Urls"), ',');
  EXPECT_EQ(detect_delimiter("S. No.;Product Name;Input Image Urls"), ';');
  EXPECT_EQ(detect_delimiter("S. No.\tProduct Name\tInput Image Urls"), '\t');
  EXPECT_EQ(detect_delimiter("\"S. No.\";\"Product Name\";\"URLs\""), ';');
  EXPECT_EQ(detect_delimiter(""), ',');
}

TEST_F(Layout, KnowsTheUsualHeadings) {
  for (const char* serial :
       {"S. No.", "S.No.", "s no", "Serial Number", "serial_number", "SERIAL NUMBER"}) {
    for (const char* urls :
         {"Input Image Urls", "Image Urls", "URLs", "input_image_urls", "image.urls"}) {
      EXPECT_TRUE(from({serial, "product_NAME", urls})) << serial << " / " << urls;
    }
  }
  EXPECT_TRUE(faults_.empty());
}

TEST_F(Layout, FindsColumnsInAnyOrder) {
  const auto layout = from({"Extra", "URLs", "Product Name", "S. No."});
  ASSERT_TRUE(layout);
  const auto cells = layout->cells_of(2, {"e", "http://a/1", "n", "4"}, joined_, faults_);
  ASSERT_TRUE(cells);
  EXPECT_EQ(cells->serial_number, "4");
  EXPECT_EQ(cells->name, "n");
  EXPECT_EQ(cells->urls, "http://a/1");
}

TEST_F(Layout, NamesEveryMissingColumn) {
  EXPECT_FALSE(from({"S. No.", "Name"}));
  ASSERT_EQ(faults_.size(), 2u);
  EXPECT_EQ(faults_[0].column, kNameColumn);
  EXPECT_EQ(faults_[1].column, kUrlsColumn);
}

TEST_F(Layout, RefusesDoubleColumns) {
  EXPECT_FALSE(from({"S. No.", "Product Name", "URLs", "Image Urls"}));
  EXPECT_EQ(faults_.size(), 1u);
}

TEST_F(Layout, SurplusColumnsAreFurtherUrls) {
  const auto layout = from({"S. No.", "Product Name", "URLs", "", ""});
  ASSERT_TRUE(layout);
  const auto cells =
      layout->cells_of(2, {"1", "n", "http://a/w_1", "h_2/1.jpg", "http://a/2"}, joined_, faults_);
  ASSERT_TRUE(cells);
  EXPECT_EQ(cells->urls, "http://a/w_1,h_2/1.jpg,http://a/2");
}

TEST_F(Layout, SurplusColumnsElsewhereAreAFault) {
  const auto layout = from({"URLs", "S. No.", "Product Name"});
  ASSERT_TRUE(layout);
  EXPECT_FALSE(layout->cells_of(5, {"http://a/1", "1", "n", "http://a/2"}, joined_, faults_));
  ASSERT_EQ(faults_.size(), 1u);
  EXPECT_EQ(faults_[0].line, 5);
  EXPECT_TRUE(layout->cells_of(6, {"http://a/1", "1", "n", "", ""}, joined_, faults_));
}

TEST_F(Layout, AnUnquotedCommaInANameIsAFault) {
  const auto layout = from({"S. No.", "Product Name", "URLs"});
  ASSERT_TRUE(layout);
  EXPECT_FALSE(layout->cells_of(4, {"1", "Shoe", " red", "http://a/1"}, joined_, faults_));
  ASSERT_EQ(faults_.size(), 1u);
  EXPECT_EQ(faults_[0].column, kNameColumn);
}

TEST_F(Layout, HeadingsMayHoldNoBreakSpaces) {
  EXPECT_TRUE(from({"S.\xC2\xA0No.", "Product\xC2\xA0Name", "URLs"}));
}

TEST_F(Layout, ShortRowsHaveEmptyCells) {
  const auto layout = from({"S. No.", "Product Name", "URLs"});
  ASSERT_TRUE(layout);
  const auto cells = layout->cells_of(2, {"1"}, joined_, faults_);
  ASSERT_TRUE(cells);
  EXPECT_EQ(cells->name, "");
  EXPECT_EQ(cells->urls, "");
}

}  // namespace
}  // namespace imgpress
