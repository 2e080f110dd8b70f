#include "core/input/csv/csv_reader.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace imgpress {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(std::string_view text, CsvDialect dialect = {}) {
  WorkMeter meter;
  CsvReader reader(text, dialect, meter);
  CsvRecord record;
  Rows rows;
  while (reader.next(record, 100)) {
    EXPECT_EQ(record.fault, "");
    EXPECT_EQ(record.columns, record.fields.size());
    rows.emplace_back(record.fields.begin(), record.fields.end());
  }
  return rows;
}

TEST(CsvReader, ReadsGoodCsv) {
  EXPECT_EQ(rows_of("a,b,c\n1,\"x, \"\"y\"\"\nz\",http://h/\n\n2,,\"\"\n"),
            (Rows{{"a", "b", "c"}, {"1", "x, \"y\"\nz", "http://h/"}, {""}, {"2", "", ""}}));
  EXPECT_TRUE(rows_of("").empty());
  EXPECT_EQ(rows_of("a,b"), (Rows{{"a", "b"}}));
  EXPECT_EQ(rows_of("a,"), (Rows{{"a", ""}}));
}

TEST(CsvReader, KnowsEveryLineEnd) {
  EXPECT_EQ(rows_of("a,b\r\n\"x\r\ny\rz\",c\rd\n"), (Rows{{"a", "b"}, {"x\ny\nz", "c"}, {"d"}}));
}

TEST(CsvReader, AMarkInsideAFieldIsText) {
  EXPECT_EQ(rows_of("1,12\" Monitor,u\n2,24\" Monitor,u\n"),
            (Rows{{"1", "12\" Monitor", "u"}, {"2", "24\" Monitor", "u"}}));
}

TEST(CsvReader, TextAfterAClosingMarkMakesTheFieldLiteral) {
  EXPECT_EQ(rows_of("1,\"Best\" shoe,u\n"), (Rows{{"1", "\"Best\" shoe", "u"}}));
  EXPECT_EQ(rows_of("1,\"12\" screen\",u\n"), (Rows{{"1", "12\" screen", "u"}}));
  EXPECT_EQ(rows_of("1,\"say \"hi\"\",u\n"), (Rows{{"1", "say \"hi\"", "u"}}));
}

TEST(CsvReader, AMarkAfterABackslashMayBeText) {
  EXPECT_EQ(rows_of("1,\"Shoe \\\"red\\\", big\",u\n"), (Rows{{"1", "Shoe \"red\", big", "u"}}));
  EXPECT_EQ(rows_of("1,\"a \\\"b\\\"\",u\n"), (Rows{{"1", "a \"b\"", "u"}}));
  // A backslash at the end of a field is one.
  EXPECT_EQ(rows_of("1,\"C:\\\",u\n2,\"C:\\\" ,u\n"),
            (Rows{{"1", "C:\\", "u"}, {"2", "C:\\", "u"}}));
}

TEST(CsvReader, BlanksAroundAQuotedFieldAreDropped) {
  EXPECT_EQ(rows_of("1,  \"a,b\"\xC2\xA0, c\n"), (Rows{{"1", "a,b", " c"}}));
}

TEST(CsvReader, CurlyQuotesQuoteAWholeField) {
  EXPECT_EQ(rows_of("1,\xE2\x80\x9CShoe, red\xE2\x80\x9D,u\n"), (Rows{{"1", "Shoe, red", "u"}}));
  EXPECT_EQ(rows_of("1,\xE2\x80\x9EShoe, red\xE2\x80\x9C ,u\n"), (Rows{{"1", "Shoe, red", "u"}}));
  // Around a part, or never closed in this line, they are text.
  EXPECT_EQ(rows_of("1,\xE2\x80\x9C"
                    "A\xE2\x80\x9D shoe,u\n"),
            (Rows{{"1",
                   "\xE2\x80\x9C"
                   "A\xE2\x80\x9D shoe",
                   "u"}}));
  EXPECT_EQ(rows_of("\xE2\x80\x9C"
                    "a,b\nc\xE2\x80\x9D\n"),
            (Rows{{"\xE2\x80\x9C"
                   "a",
                   "b"},
                  {"c\xE2\x80\x9D"}}));
}

TEST(CsvReader, TheMarkMayBeAnApostrophe) {
  EXPECT_EQ(rows_of("'a, b','it''s'\n", {',', '\''}), (Rows{{"a, b", "it's"}}));
}

TEST(CsvReader, ALineOfBackslashDotIsText) {
  EXPECT_EQ(rows_of("a\n\\.\nb,\\.\n"), (Rows{{"a"}, {"\\."}, {"b", "\\."}}));
}

TEST(CsvReader, CountsLinesThroughQuotedLineEnds) {
  WorkMeter meter;
  CsvReader reader("a\n\"b\r\nc\"\n\nd\n", {}, meter, 2);
  CsvRecord record;
  std::vector<int> lines;
  while (reader.next(record, 9)) lines.push_back(record.line);
  EXPECT_EQ(lines, (std::vector<int>{2, 3, 5, 6}));
}

TEST(CsvReader, AnUnclosedMarkIsAFaultWhereItOpens) {
  WorkMeter meter;
  CsvReader reader("a,b\n1,\"b\nc,d\n", {}, meter);
  CsvRecord record;
  ASSERT_TRUE(reader.next(record, 9));
  ASSERT_TRUE(reader.next(record, 9));
  EXPECT_EQ(record.line, 2);
  EXPECT_EQ(record.columns, 2u);
  EXPECT_NE(record.fault.find("never closed"), std::string::npos);
  EXPECT_FALSE(reader.next(record, 9));
}

TEST(CsvReader, AMarkClosedInTheMiddleOfAnotherLineIsAFault) {
  WorkMeter meter;
  CsvReader reader("1,\"SKU,u\n2,\"Hat\",u\n3,Cap,u\n", {}, meter);
  CsvRecord record;
  ASSERT_TRUE(reader.next(record, 9));
  EXPECT_EQ(record.line, 1);
  EXPECT_NE(record.fault.find("closed in line 2"), std::string::npos) << record.fault;
  ASSERT_TRUE(reader.next(record, 9));
  EXPECT_EQ(record.fault, "");
  EXPECT_EQ(record.line, 3);
}

TEST(CsvReader, KeepsTheWantedFieldsAndCountsTheOthers) {
  WorkMeter meter;
  const std::string wide(100'000, ',');
  CsvReader reader(wide, {}, meter);
  CsvRecord record;
  ASSERT_TRUE(reader.next(record, 10));
  EXPECT_EQ(record.fields.size(), 10u);
  EXPECT_EQ(record.columns, 100'001u);
}

}  // namespace
}  // namespace imgpress
