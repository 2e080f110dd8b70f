#include "core/csv_feed.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

std::string fed(std::string_view text, char delimiter = ',', std::size_t room = 1000) {
  CsvFeed feed(text, delimiter);
  std::string all;
  std::string buffer(room, '\0');
  while (const std::size_t count = feed.read(buffer.data(), room)) all.append(buffer, 0, count);
  return all;
}

TEST(CsvFeed, LeavesGoodCsvAlone) {
  const std::string good = "a,b,c\n1,\"x, \"\"y\"\"\nz\",http://h/\n\n2,,\"\"\n";
  EXPECT_EQ(fed(good), good);
  EXPECT_EQ(fed(""), "");
}

TEST(CsvFeed, MakesOneKindOfLineEnd) {
  EXPECT_EQ(fed("a,b\r\n\"x\r\ny\",c\rd\n"), "a,b\n\"x\ny\",c\nd\n");
}

TEST(CsvFeed, AMarkInsideAFieldIsText) {
  EXPECT_EQ(fed("1,12\" Monitor,u\n2,24\" Monitor,u\n"),
            "1,\"12\"\" Monitor\",u\n2,\"24\"\" Monitor\",u\n");
  EXPECT_EQ(fed("a;5\",6\"\n", ';'), "a;\"5\"\",6\"\"\"\n");
}

TEST(CsvFeed, BlanksBeforeAQuotedFieldAreDropped) {
  EXPECT_EQ(fed("1,  \"a,b\", c\n"), "1,\"a,b\", c\n");
}

TEST(CsvFeed, ALineOfBackslashDotIsText) {
  EXPECT_EQ(fed("a\n\\.\nb,\\.\n"), "a\n\"\\.\"\nb,\\.\n");
}

TEST(CsvFeed, AnUnclosedQuoteStaysUnclosed) {
  EXPECT_EQ(fed("a,\"b\nc"), "a,\"b\nc");
}

TEST(CsvFeed, WorksInPiecesOfAnySize) {
  const std::string text = "1,12\" x,\"a\"\"b\r\n\"\r\n\\.\r\n";
  for (std::size_t room = 1; room < 9; ++room) EXPECT_EQ(fed(text, ',', room), fed(text));
}

}  // namespace
}  // namespace imgpress
