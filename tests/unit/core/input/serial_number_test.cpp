#include "core/input/serial_number.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace imgpress {
namespace {

SerialNumber read(std::string_view text) {
  WorkMeter meter;
  return read_serial_number(text, meter);
}

struct Case {
  const char* text;
  std::int64_t value;
};
class SerialNumberIs : public testing::TestWithParam<Case> {};

TEST_P(SerialNumberIs, Read) {
  const SerialNumber serial = read(GetParam().text);
  EXPECT_EQ(serial.fault, "") << GetParam().text;
  EXPECT_EQ(serial.value, GetParam().value) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, SerialNumberIs,
    testing::Values(Case{"0", 0}, Case{"-5", -5}, Case{"+5", 5}, Case{"007", 7}, Case{"1.0", 1},
                    Case{"12.", 12}, Case{"1,0", 1}, Case{"1,000", 1000},
                    Case{"12,345,678", 12345678}, Case{"1,000.00", 1000}, Case{"1.000,00", 1000},
                    Case{"1.234.567", 1234567}, Case{"1 000", 1000},
                    Case{"1\xC2\xA0"
                         "000",
                         1000},
                    Case{"1\xE2\x80\xAF"
                         "000\xE2\x80\xAF"
                         "000",
                         1000000},
                    Case{"1'000", 1000},
                    Case{"1\xE2\x80\x99"
                         "000",
                         1000},
                    Case{"\xE2\x88\x92"
                         "3",
                         -3},
                    Case{"\xEF\xBB\xBF\xC2\xA0\xE2\x80\x8B 42\xE3\x80\x80", 42},
                    Case{"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
                    Case{"-9223372036854775808", std::numeric_limits<std::int64_t>::min()}));

class NoSerialNumber : public testing::TestWithParam<const char*> {};

TEST_P(NoSerialNumber, IsAFaultThatQuotesIt) {
  const SerialNumber serial = read(GetParam());
  EXPECT_NE(serial.fault, "") << GetParam();
  EXPECT_NE(serial.fault.find(GetParam()), std::string::npos) << serial.fault;
}

INSTANTIATE_TEST_SUITE_P(Texts, NoSerialNumber,
                         testing::Values("1.5", "1,5", "1e3", "+", "-", "+-5", "1 2", "1,00,000",
                                         ",5", ".0", "1/2", "1-2", "x1", "1x", "0x10", "1e300",
                                         "9223372036854775808", "1,000.5", "#1"));

TEST(SerialNumber, ExplainsAmbiguousNumbers) {
  EXPECT_NE(read("1E+05").fault.find("shortened"), std::string::npos);
  EXPECT_NE(read("1.23457E+11").fault.find("shortened"), std::string::npos);
  EXPECT_NE(read("1.000").fault.find("thousands or a fraction"), std::string::npos);
  EXPECT_EQ(read(" \xC2\xA0").fault, "empty: give an integer");
  EXPECT_NE(read("9223372036854775808").fault.find("64 bits"), std::string::npos);
}

TEST(SerialNumber, LongTextIsAFault) {
  EXPECT_NE(read(std::string(1'000'000, '1')).fault, "");
  EXPECT_LT(read(std::string(1'000'000, '1')).fault.size(), 200u);
}

}  // namespace
}  // namespace imgpress
