#include "core/input/product.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

std::optional<Product> read(std::string_view serial, std::string_view name, std::string_view urls,
                            InputFaults& faults) {
  WorkMeter meter;
  return read_product(7, {serial, name, {urls}}, meter, faults);
}

TEST(ReadProduct, AcceptsAGoodProduct) {
  InputFaults faults;
  const auto product = read(" 12 ", " SKU1 ", "http://a/1.jpg, http://a/2.jpg", faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->serial_number, 12);
  EXPECT_EQ(product->name, "SKU1");
  EXPECT_EQ(product->urls, (std::vector<std::string>{"http://a/1.jpg", "http://a/2.jpg"}));
  EXPECT_TRUE(faults.empty());
}

TEST(ReadProduct, NoBreakSpacesAreBlanks) {
  InputFaults faults;
  const auto product = read("\xC2\xA0 7\xC2\xA0", " \xC2\xA0n\xC2\xA0m ", "http://a/1.jpg", faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->serial_number, 7);
  EXPECT_EQ(product->name, "n\xC2\xA0m");
  EXPECT_FALSE(read("7", "\xC2\xA0", "http://a/1.jpg", faults));
}

TEST(ReadProduct, NamesEveryFaultOfARow) {
  InputFaults faults;
  EXPECT_FALSE(read("x1", "", "ftp://a/1.jpg", faults));
  ASSERT_EQ(faults.count(), 3u);
  for (const InputFault& fault : faults.listed()) EXPECT_EQ(fault.line, 7);
  EXPECT_EQ(faults.listed()[0].column, kSerialColumn);
  EXPECT_EQ(faults.listed()[1].column, kNameColumn);
  EXPECT_EQ(faults.listed()[2].column, kUrlsColumn);
  EXPECT_NE(faults.listed()[0].message.find("\"x1\""), std::string::npos);
}

TEST(ReadProduct, NeedsAtLeastOneHttpUrl) {
  InputFaults faults;
  EXPECT_FALSE(read("1", "n", " , ", faults));
  EXPECT_FALSE(read("1", "n", "file:///etc/passwd", faults));
  EXPECT_EQ(faults.count(), 2u);
  EXPECT_TRUE(read("1", "n", "file:///etc/passwd,http://a/1.jpg", faults));
}

TEST(ReadProduct, EmptyElementsOfAnArrayDoNotCountAsUrls) {
  InputFaults faults;
  EXPECT_FALSE(read("1", "n", "{NULL,\"\"}", faults));
  EXPECT_FALSE(read("1", "n", "{NULL,a.jpg}", faults));
  ASSERT_EQ(faults.count(), 2u);
  EXPECT_NE(faults.listed()[0].message.find("no image URL"), std::string::npos);
  EXPECT_NE(faults.listed()[1].message.find("\"a.jpg\""), std::string::npos);
  EXPECT_TRUE(read("1", "n", "{NULL,http://a/1.jpg}", faults));
}

TEST(ReadProduct, JoinsTheListsOfSeveralColumnsFromLeftToRight) {
  InputFaults faults;
  WorkMeter meter;
  const auto product =
      read_product(7, {"1", "n", {"http://a/1,http://a/2", " ", "{http://a/3}"}}, meter, faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->urls, (std::vector<std::string>{"http://a/1", "http://a/2", "http://a/3"}));
}

TEST(ReadProduct, FormulasOfTextAreText) {
  InputFaults faults;
  const auto product = read("=\"007\"", "=\"1-2\"", "http://a/1", faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->serial_number, 7);
  EXPECT_EQ(product->name, "1-2");
}

TEST(ReadProduct, ARowOfTotalsIsOneFault) {
  for (const auto& [serial, name] : {std::pair("Total", ""), std::pair("", "Grand Total: 5")}) {
    InputFaults faults;
    EXPECT_FALSE(read(serial, name, "", faults));
    ASSERT_EQ(faults.count(), 1u);
    EXPECT_NE(faults.listed()[0].message.find("row of totals"), std::string::npos);
  }
  InputFaults faults;
  EXPECT_TRUE(read("1", "Total", "http://a/1", faults));
}

TEST(ReadProduct, RefusesATooLongUrl) {
  InputFaults faults;
  EXPECT_FALSE(read("1", "n", "http://a/" + std::string(9000, 'x'), faults));
  ASSERT_EQ(faults.count(), 1u);
  EXPECT_LT(faults.listed()[0].message.size(), 200u);
}

TEST(ReadProduct, QuotesAtCharacterBoundaries) {
  InputFaults faults;
  std::string serial = "x";
  for (int i = 0; i < 100; ++i) serial += "\xC3\xA4";
  read(serial, "n", "http://a/1.jpg", faults);
  const std::string& message = faults.listed().at(0).message;
  const std::size_t dots = message.find("...");
  ASSERT_NE(dots, std::string::npos);
  EXPECT_EQ(message[dots - 1], '\xA4');
}

std::optional<Product> read_keyed(std::optional<std::string_view> key, std::string_view name,
                                  std::string_view urls, UrlForm form, InputFaults& faults) {
  WorkMeter meter;
  KeyedCells cells;
  cells.key = key;
  cells.name = name;
  cells.urls = urls;
  cells.form = form;
  return read_keyed_product(7, cells, meter, faults);
}

TEST(ReadKeyedProduct, KeepsTheKeyAsItIs) {
  InputFaults faults;
  const auto product = read_keyed(" 007 ", "Mug", "http://a/1,http://a/2", UrlForm::kList, faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->key, " 007 ");
  EXPECT_EQ(product->name, "Mug");
  EXPECT_EQ(product->serial_number, 7);
  EXPECT_EQ(product->urls, (std::vector<std::string>{"http://a/1", "http://a/2"}));
  const auto unnamed =
      read_keyed("SKU-1", "", R"("http://a/1,http://a/2")", UrlForm::kJson, faults);
  ASSERT_TRUE(unnamed);
  EXPECT_EQ(unnamed->name, "SKU-1");
  EXPECT_EQ(unnamed->urls, std::vector<std::string>{"http://a/1,http://a/2"});
}

TEST(ReadKeyedProduct, AFaultNamesTheKeyOrTheNumber) {
  InputFaults faults;
  EXPECT_FALSE(read_keyed("SKU-1", "Mug", "", UrlForm::kList, faults));
  EXPECT_FALSE(read_keyed("SKU-2", "Mug", "[[]]", UrlForm::kJson, faults));
  EXPECT_FALSE(read_keyed(std::nullopt, "Mug", "http://a/1", UrlForm::kList, faults));
  EXPECT_FALSE(read_keyed("", "Mug", "http://a/1", UrlForm::kList, faults));
  EXPECT_FALSE(
      read_keyed(std::string(kMaxKeyBytes + 1, 'k'), "", "http://a/1", UrlForm::kList, faults));
  ASSERT_EQ(faults.count(), 5u);
  const auto& found = faults.listed();
  EXPECT_EQ(found[0].message.rfind("SKU-1: no image URL", 0), 0u);
  EXPECT_EQ(found[1].message.rfind("SKU-2: element 1 is a list of its own", 0), 0u);
  EXPECT_EQ(found[2].message, "product 7: the key is NULL");
  EXPECT_EQ(found[3].message, "product 7: the key is empty");
  EXPECT_EQ(found[4].message, std::string(60, 'k') + ": the key is longer than " +
                                  std::to_string(kMaxKeyBytes) + " bytes");
}

}  // namespace
}  // namespace imgpress
