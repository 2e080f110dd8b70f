#include "core/product.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

std::optional<Product> read(std::string_view serial, std::string_view name, std::string_view urls,
                            std::vector<InputFault>& faults) {
  return read_product(7, {serial, name, urls}, faults);
}

TEST(ReadProduct, TakesAGoodOne) {
  std::vector<InputFault> faults;
  const auto product = read(" 12 ", " SKU1 ", "http://a/1.jpg, http://a/2.jpg", faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->serial_number, 12);
  EXPECT_EQ(product->name, "SKU1");
  EXPECT_EQ(product->urls, (std::vector<std::string>{"http://a/1.jpg", "http://a/2.jpg"}));
  EXPECT_TRUE(faults.empty());
}

TEST(ReadProduct, NoBreakSpacesAreBlanks) {
  std::vector<InputFault> faults;
  const auto product = read("\xC2\xA0 7\xC2\xA0", " \xC2\xA0n\xC2\xA0m ", "http://a/1.jpg", faults);
  ASSERT_TRUE(product);
  EXPECT_EQ(product->serial_number, 7);
  EXPECT_EQ(product->name, "n\xC2\xA0m");
  EXPECT_FALSE(read("7", "\xC2\xA0", "http://a/1.jpg", faults));
}

TEST(ReadProduct, NamesEveryFaultOfARow) {
  std::vector<InputFault> faults;
  EXPECT_FALSE(read("x1", "", "ftp://a/1.jpg", faults));
  ASSERT_EQ(faults.size(), 3u);
  for (const InputFault& fault : faults) EXPECT_EQ(fault.line, 7);
  EXPECT_EQ(faults[0].column, kSerialColumn);
  EXPECT_EQ(faults[1].column, kNameColumn);
  EXPECT_EQ(faults[2].column, kUrlsColumn);
  EXPECT_NE(faults[0].message.find("\"x1\""), std::string::npos);
}

struct SerialCase {
  const char* text;
  bool good;
};
class ReadSerialNumber : public testing::TestWithParam<SerialCase> {};

TEST_P(ReadSerialNumber, IsA64BitInteger) {
  std::vector<InputFault> faults;
  EXPECT_EQ(read(GetParam().text, "n", "http://a/1.jpg", faults).has_value(), GetParam().good);
}

INSTANTIATE_TEST_SUITE_P(Texts, ReadSerialNumber,
                         testing::Values(SerialCase{"0", true}, SerialCase{"-5", true},
                                         SerialCase{"+5", true}, SerialCase{"9223372036854775807", true},
                                         SerialCase{"9223372036854775808", false}, SerialCase{"1.5", false},
                                         SerialCase{"1e3", false}, SerialCase{"", false},
                                         SerialCase{"+", false}, SerialCase{"+-5", false},
                                         SerialCase{"1 2", false}));

TEST(ReadProduct, WantsOneHttpUrlAtLeast) {
  std::vector<InputFault> faults;
  EXPECT_FALSE(read("1", "n", " , ", faults));
  EXPECT_FALSE(read("1", "n", "file:///etc/passwd", faults));
  EXPECT_EQ(faults.size(), 2u);
  EXPECT_TRUE(read("1", "n", "file:///etc/passwd,http://a/1.jpg", faults));
}

TEST(ReadProduct, RefusesAnEndlessUrl) {
  std::vector<InputFault> faults;
  EXPECT_FALSE(read("1", "n", "http://a/" + std::string(9000, 'x'), faults));
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_LT(faults[0].message.size(), 200u);
}

TEST(ReadProduct, QuotesAtCharacterBoundaries) {
  std::vector<InputFault> faults;
  std::string serial = "x";
  for (int i = 0; i < 100; ++i) serial += "\xC3\xA4";
  read(serial, "n", "http://a/1.jpg", faults);
  const std::string& message = faults.at(0).message;
  const std::size_t dots = message.find("...");
  ASSERT_NE(dots, std::string::npos);
  EXPECT_EQ(message[dots - 1], '\xA4');
}

}  // namespace
}  // namespace imgpress
