#include "core/input/csv/csv_layout.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

class Layout : public testing::Test {
 protected:
  std::optional<CsvLayout> from(const CsvFields& header, char delimiter = ',') {
    return CsvLayout::from_header(record(1, header), delimiter, meter_, faults_);
  }
  static CsvRecord record(int line, const CsvFields& fields) {
    return {line, fields, fields.size(), ""};
  }
  bool read(CsvLayout& layout, int line, const CsvFields& row) {
    return layout.read_cells(record(line, row), meter_, cells_, faults_);
  }

  WorkMeter meter_;
  InputFaults faults_;
  ProductCells cells_;
};

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
  auto layout = from({"Extra", "URLs", "Product Name", "S. No."});
  ASSERT_TRUE(layout);
  ASSERT_TRUE(read(*layout, 2, {"e", "http://a/1", "n", "4"}));
  EXPECT_EQ(cells_.serial_number, "4");
  EXPECT_EQ(cells_.name, "n");
  EXPECT_EQ(cells_.urls.front(), "http://a/1");
}

TEST_F(Layout, NamesEveryMissingColumn) {
  EXPECT_FALSE(from({"S. No.", "Name"}));
  ASSERT_EQ(faults_.count(), 2u);
  EXPECT_EQ(faults_.listed()[0].column, kNameColumn);
  EXPECT_EQ(faults_.listed()[1].column, kUrlsColumn);
}

TEST_F(Layout, RefusesColumnsThatAreNamedTwice) {
  EXPECT_FALSE(from({"S. No.", "Product Name", "URLs", "product_name"}));
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].column, kNameColumn);
  EXPECT_NE(faults_.listed()[0].message.find("columns 2 (\"Product Name\") and 4"),
            std::string::npos);
}

TEST_F(Layout, UsesAllImageColumnsFromLeftToRight) {
  for (const CsvFields& images :
       {CsvFields{"Input Image Urls", "Input Image Urls 2", "Image 3"},
        CsvFields{"URLs", "URLs", "URLs"}, CsvFields{"Image 1 URL", "image_2_url", "IMAGE URL #3"},
        CsvFields{"URL 1", "URL 2", "URL 3"}}) {
    auto layout = from({images[0], "S. No.", images[1], "Product Name", images[2]});
    ASSERT_TRUE(layout);
    ASSERT_TRUE(read(*layout, 2, {"http://a/1", "1", "http://a/2", "n", "http://a/3"}));
    EXPECT_EQ(cells_.urls, (CsvFields{"http://a/1", "http://a/2", "http://a/3"}));
    EXPECT_TRUE(layout->ignored().empty());
  }
}

TEST_F(Layout, IgnoresALinkColumnBesideImageColumns) {
  const auto layout = from({"S. No.", "Product Name", "URL", "Image Urls"});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->ignored(), std::vector<std::string>{"URL"});
}

TEST_F(Layout, NamesIgnoredColumns) {
  const auto layout = from({"", "S. No.", " Colour ", "Product Name", "URLs", "Price", ""});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->ignored(), (std::vector<std::string>{"column 1", "Colour", "Price"}));
}

TEST_F(Layout, SuggestsTheNearestName) {
  EXPECT_FALSE(from({"Serial", "Prodct Name", "Image Lnks"}));
  ASSERT_EQ(faults_.count(), 3u);
  EXPECT_NE(faults_.listed()[0].message.find("\"Serial\""), std::string::npos);
  EXPECT_NE(faults_.listed()[1].message.find("\"Prodct Name\""), std::string::npos);
  EXPECT_NE(faults_.listed()[2].message.find("\"Image Lnks\""), std::string::npos);
  for (const InputFault& fault : faults_.listed()) {
    EXPECT_NE(fault.message.find("Rename it to"), std::string::npos) << fault.message;
  }
}

TEST_F(Layout, DoesNotTakeOutputsForMisspeltInputs) {
  EXPECT_FALSE(from({"S. No.", "Product Name", "Output Image Urls"}));
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].message.find("Rename"), std::string::npos);
  const auto layout = from({"S. No.", "Product Name", "URLs", "output_image_urls"});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->ignored(), std::vector<std::string>{"output_image_urls"});
}

TEST_F(Layout, DataInsteadOfAHeaderIsOneFault) {
  for (const CsvFields& data :
       {CsvFields{"1", "SKU1", "http://a/1"}, CsvFields{"1", "SKU1", "a.jpg"},
        CsvFields{"1", "Image", "http://a/1"}, CsvFields{"SKU1", "<http://a/1>, <http://a/2>"}}) {
    InputFaults faults;
    EXPECT_FALSE(CsvLayout::from_header(record(1, data), ',', meter_, faults));
    ASSERT_EQ(faults.count(), 1u);
    EXPECT_EQ(
        faults.listed()[0].message,
        "line 1 looks like data: put the header S. No.,Product Name,Input Image Urls above it");
  }
}

TEST_F(Layout, AMessageNamesNoMoreThanTwentyHeadings) {
  EXPECT_FALSE(from(CsvFields(kMaxColumns, std::string_view("quantity"))));
  EXPECT_LT(faults_.listed().front().message.size(), 500u);
}

TEST_F(Layout, SurplusColumnsAreFurtherUrls) {
  auto layout = from({"S. No.", "Product Name", "URLs", "", ""});
  ASSERT_TRUE(layout);
  ASSERT_TRUE(read(*layout, 2, {"1", "n", "http://a/w_1", "h_2/1.jpg", "http://a/2"}));
  EXPECT_EQ(cells_.urls.front(), "http://a/w_1,h_2/1.jpg,http://a/2");
}

TEST_F(Layout, SurplusColumnsElsewhereAreAFault) {
  auto layout = from({"URLs", "S. No.", "Product Name"});
  ASSERT_TRUE(layout);
  EXPECT_FALSE(read(*layout, 5, {"http://a/1", "1", "n", "http://a/2"}));
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].line, 5);
  EXPECT_TRUE(read(*layout, 6, {"http://a/1", "1", "n", "", ""}));
}

TEST_F(Layout, AnUnquotedCommaInANameIsAFault) {
  auto layout = from({"S. No.", "Product Name", "URLs"});
  ASSERT_TRUE(layout);
  EXPECT_FALSE(read(*layout, 4, {"1", "Shoe", " red", "http://a/1"}));
  ASSERT_EQ(faults_.count(), 1u);
  EXPECT_EQ(faults_.listed()[0].column, kNameColumn);
}

TEST_F(Layout, AnUnquotedCommaBeforeSeveralImageColumnsIsAFault) {
  auto layout = from({"S. No.", "Product Name", "Image 1", "Image 2"});
  ASSERT_TRUE(layout);
  EXPECT_FALSE(read(*layout, 4, {"1", "Shoe", " red", "http://a/1", "http://a/2"}));
  EXPECT_EQ(faults_.listed().at(0).column, kNameColumn);
}

TEST_F(Layout, ARowHasABoundedNumberOfColumns) {
  auto layout = from({"S. No.", "Product Name", "URLs"});
  ASSERT_TRUE(layout);
  CsvRecord row = record(2, {"1", "n", "http://a/1"});
  row.columns = kMaxRowColumns + 1;
  EXPECT_FALSE(layout->read_cells(row, meter_, cells_, faults_));
}

TEST_F(Layout, HeadingsMayHoldNoBreakSpaces) {
  EXPECT_TRUE(from({"S.\xC2\xA0No.", "Product\xC2\xA0Name", "URLs"}));
}

TEST_F(Layout, KeepsTheHeadingsAsTheyAreWritten) {
  const auto layout = from({" S. No.", "product_NAME", "", "URLs", "Price ", "", " "});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->headings(),
            (std::vector<std::string>{" S. No.", "product_NAME", "", "URLs", "Price "}));
}

TEST_F(Layout, UsualAreTheThreeColumnsInTheirOrder) {
  EXPECT_TRUE(from({"Serial Number", "Product Name", "URLs"})->is_usual());
  EXPECT_TRUE(from({"S. No.", "Product Name", "Input Image Urls", ""})->is_usual());
  EXPECT_FALSE(from({"Product Name", "S. No.", "URLs"})->is_usual());
  EXPECT_FALSE(from({"S. No.", "Product Name", "Note", "URLs"})->is_usual());
  EXPECT_FALSE(from({"S. No.", "Product Name", "URLs", "Note"})->is_usual());
  EXPECT_FALSE(from({"S. No.", "Product Name", "Image 1", "Image 2"})->is_usual());
  EXPECT_FALSE(from({"", "S. No.", "Product Name", "URLs"})->is_usual());
}

TEST_F(Layout, ARowHasAFieldForEachHeading) {
  auto layout = from({"Note", "S. No.", "Product Name", "URLs", ""});
  ASSERT_TRUE(layout);
  const auto fields = [&](const CsvFields& row) {
    const CsvRecord read_row = record(2, row);
    EXPECT_TRUE(layout->read_cells(read_row, meter_, cells_, faults_));
    return layout->fields_of(read_row, cells_);
  };
  EXPECT_EQ(fields({"x", "1.0", " n ", "http://a/1"}),
            (CsvFields{"x", "1.0", " n ", "http://a/1"}));
  EXPECT_EQ(fields({"x", "1"}), (CsvFields{"x", "1", "", ""}));
  EXPECT_EQ(fields({"x", "1", "n", "http://a/1", "http://a/2", ""}),
            (CsvFields{"x", "1", "n", "http://a/1,http://a/2,"}));
  EXPECT_EQ(fields({"x", "1", "n", "http://a/1", "", " "}),
            (CsvFields{"x", "1", "n", "http://a/1"}));
}

TEST_F(Layout, KnowsARepeatedHeader) {
  const auto layout = from({"Note", "S. No.", "Product Name", "URLs"});
  ASSERT_TRUE(layout);
  EXPECT_TRUE(layout->is_header(record(9, {"Note", "S. No.", "Product Name", "URLs"})));
  EXPECT_TRUE(layout->is_header(record(9, {"", "serial_number", "product name"})));
  EXPECT_FALSE(layout->is_header(record(9, {"Note", "7", "Product Name", "URLs"})));
  EXPECT_FALSE(layout->is_header(record(9, {"Note", "S. No.", "Mug", "URLs"})));
  EXPECT_FALSE(layout->is_header(record(9, {"Note", "S. No."})));
}

TEST_F(Layout, NamesColumnsForMessages) {
  const auto layout = from({"Note", "sno", "product_name", "Image 1", "Stock", "Image 2"});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->column_name(0), "column 1");
  EXPECT_EQ(layout->column_name(1), kSerialColumn);
  EXPECT_EQ(layout->column_name(2), kNameColumn);
  EXPECT_EQ(layout->column_name(3), kUrlsColumn);
  EXPECT_EQ(layout->column_name(4), "column 5");
  EXPECT_EQ(layout->column_name(5), kUrlsColumn);
  EXPECT_EQ(layout->column_name(6), kUrlsColumn) << "a surplus one";
}

TEST_F(Layout, ShortRowsHaveEmptyCells) {
  auto layout = from({"S. No.", "Product Name", "URLs"});
  ASSERT_TRUE(layout);
  ASSERT_TRUE(read(*layout, 2, {"1"}));
  EXPECT_EQ(cells_.name, "");
  EXPECT_EQ(cells_.urls.front(), "");
}

}  // namespace
}  // namespace imgpress
