// Twice the input takes twice the work, whatever the input is. Work is what loops report to their
// WorkMeter. That they do report is shown by its being no less than the file; a loop that does not,
// and is slower than linear, would not end within a test's time at these sizes.
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>

#include "core/input/csv/csv_encoding.hpp"
#include "core/input/csv/csv_input.hpp"

namespace imgpress {
namespace {

constexpr const char* kHeader = "S. No.,Product Name,Input Image Urls\n";

std::string times(std::size_t count, std::string_view part) {
  std::string all;
  all.reserve(count * part.size());
  for (std::size_t i = 0; i < count; ++i) all += part;
  return all;
}

std::string in_cell(std::size_t column, const std::string& content) {
  const std::string quoted = '"' + content + '"';
  return std::string(kHeader) + (column == 0 ? quoted : "1") + ',' + (column == 1 ? quoted : "n") +
         ',' + (column == 2 ? quoted : "http://a/1") + '\n';
}

std::string urls(const std::string& content) {
  return in_cell(2, content);
}

struct Shape {
  const char* name;
  std::function<std::string(std::size_t)> file;  // of about this many bytes
};

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.name;
}

// Aborts work that is far from linear, so that the test fails quickly.
std::uint64_t pauses_left = 0;

void spend_pause() {
  if (pauses_left-- == 0) throw std::length_error("far more work than the file is worth");
}

std::uint64_t work(const std::string& file) {
  pauses_left = 100 + 100 * file.size() / WorkMeter::kBytesBetweenCheckpoints;
  WorkMeter meter(spend_pause);
  InputFaults faults;
  find_encoding_fault(file, meter);
  const std::uint64_t before = meter.total();
  CsvInput input(file, meter, faults);
  while (input.next()) {
  }
  return meter.total() - before;
}

class Linearity : public testing::TestWithParam<Shape> {};

TEST_P(Linearity, TwiceTheInputIsTwiceTheWork) {
  constexpr std::size_t kBytes = 400'000;
  const std::string once = GetParam().file(kBytes);
  const std::string twice = GetParam().file(2 * kBytes);
  const std::uint64_t least = work(once);
  const std::uint64_t most = work(twice);
  EXPECT_GE(least, once.size() / 4);  // a character of up to four bytes counts once
  EXPECT_LE(least, once.size() * 20 + 1'000'000);
  EXPECT_LE(most, least * 22 / 10);
}

const Shape kShapes[] = {
    {"a URL and blanks",
     [](std::size_t n) { return urls("http://x/a" + std::string(n, ' ') + "b"); }},
    {"blanks of many bytes",
     [](std::size_t n) { return urls("http://x/a" + times(n / 3, "\xE2\x80\x8B") + "b"); }},
    {"bytes that begin like blanks",
     [](std::size_t n) { return urls("http://x/a" + times(n, "\xE2")); }},
    {"commas", [](std::size_t n) { return urls("http://x/a" + std::string(n, ',')); }},
    {"blanks and letters", [](std::size_t n) { return urls("http://x/a" + times(n / 2, " b")); }},
    {"commas and schemes", [](std::size_t n) { return urls(times(n / 9, "http://a,")); }},
    {"half schemes", [](std::size_t n) { return urls("http://x/" + times(n / 6, ",http:")); }},
    {"opening wrappings", [](std::size_t n) { return urls("http://x/" + times(n / 2, " <")); }},
    {"an array", [](std::size_t n) { return urls('{' + times(n / 9, "http://a,") + '}'); }},
    {"an array of nothing", [](std::size_t n) { return urls('{' + std::string(n, ',') + '}'); }},
    {"nested arrays", [](std::size_t n) { return urls(std::string(n, '{')); }},
    {"unclosed brackets", [](std::size_t n) { return urls(std::string(n, '[')); }},
    {"escapes", [](std::size_t n) { return urls("{\"\"" + times(n / 2, "\\x") + "\"\"}"); }},
    {"JSON escapes",
     [](std::size_t n) { return urls("[\"\"" + times(n / 6, "\\u00e9") + "\"\"]"); }},
    {"JSON of short strings",
     [](std::size_t n) { return urls('[' + times(n / 6, "\"\"a\"\",") + ']'); }},
    {"JSON objects",
     [](std::size_t n) {
       return urls("[" + times(n / 25, R"({""src"":""http://a/123""},)") + "]");
     }},
    {"nested JSON", [](std::size_t n) { return urls(R"({""a"":)" + std::string(n, '[')); }},
    {"a long name of a JSON field",
     [](std::size_t n) { return urls(R"({"")" + std::string(n, 'a') + R"("":1})"); }},
    {"a long name", [](std::size_t n) { return in_cell(1, std::string(n, 'n')); }},
    {"a name of blanks", [](std::size_t n) { return in_cell(1, std::string(n, ' ')); }},
    {"a name of marks", [](std::size_t n) { return in_cell(1, std::string(n / 2 * 2, '"')); }},
    {"marks behind backslashes", [](std::size_t n) { return in_cell(1, times(n / 3, "\\\" ")); }},
    {"a name of line ends", [](std::size_t n) { return in_cell(1, times(n / 2, "\r\n")); }},
    {"a serial number of digits", [](std::size_t n) { return in_cell(0, std::string(n, '7')); }},
    {"a serial number of blanks", [](std::size_t n) { return in_cell(0, std::string(n, ' ')); }},
    {"an unclosed mark", [](std::size_t n) { return kHeader + ("1,\"" + std::string(n, 'x')); }},
    {"rows with an unclosed mark each",
     [](std::size_t n) { return kHeader + times(n / 7, "1,\"n,u\n"); }},
    {"opening curly quotes", [](std::size_t n) { return kHeader + times(n / 4, "\xE2\x80\x9C,"); }},
    {"curly quotes that nothing closes",
     [](std::size_t n) { return kHeader + times(n / 4, "\xE2\x80\x9E,"); }},
    {"curly quotes closed amid text",
     [](std::size_t n) { return kHeader + times(n / 8, "\xE2\x80\x9C\xE2\x80\x9Dx,"); }},
    {"blank lines", [](std::size_t n) { return kHeader + std::string(n, '\n'); }},
    {"blank columns", [](std::size_t n) { return kHeader + std::string(n, ','); }},
    {"blanks in columns", [](std::size_t n) { return kHeader + times(n / 2, " ,"); }},
    {"an unquoted list",
     [](std::size_t n) { return kHeader + ("1,n,http://a/1" + times(n / 2, ",a")); }},
    {"an unquoted list of blanks",
     [](std::size_t n) { return kHeader + ("1,n,http://a/1" + times(n / 2, ", ")); }},
    {"a wide header", [](std::size_t n) { return times(n / 2, "a,") + "\n1,n,http://a/1\n"; }},
    {"a header of blanks", [](std::size_t n) { return std::string(n, ' ') + kHeader; }},
    {"a header without an end", [](std::size_t n) { return std::string(n, 'a'); }},
    {"bad rows", [](std::size_t n) { return kHeader + times(n / 4, "x,,\n"); }},
    {"good rows", [](std::size_t n) { return kHeader + times(n / 17, "1,n,http://a/123\n"); }},
    {"rows with surplus columns",
     [](std::size_t n) { return kHeader + times(n / 28, "1,n,http://a/1,http://a/2,,\n"); }},
};

INSTANTIATE_TEST_SUITE_P(Files, Linearity, testing::ValuesIn(kShapes));

// The callback that may abort the work is called often, wherever the work is.
TEST_P(Linearity, CanBeInterruptedSoon) {
  struct Stop {};
  const std::string file = GetParam().file(400'000);
  WorkMeter meter([] { throw Stop(); });
  InputFaults faults;
  try {
    CsvInput input(file, meter, faults);
    while (input.next()) {
    }
  } catch (const Stop&) {
  }
  EXPECT_LE(meter.total(), 2 * WorkMeter::kBytesBetweenCheckpoints);
}

TEST(CsvInput, FaultsTakeBoundedMemory) {
  WorkMeter meter;
  InputFaults faults;
  const std::string file = kHeader + times(100'000, "x,,\n");
  CsvInput input(file, meter, faults);
  EXPECT_FALSE(input.next());
  EXPECT_EQ(faults.count(), 300'000u);
  EXPECT_EQ(faults.listed().size(), kMaxListedFaults);
  EXPECT_EQ(faults.unlisted(), 300'000u - kMaxListedFaults);
}

TEST(FindEncodingFault, ReadsTheFileOnce) {
  for (const std::string& file :
       {std::string(1'000'000, 'a'), "\xFF\xFE" + times(500'000, "a\x01")}) {
    WorkMeter meter;
    EXPECT_FALSE(find_encoding_fault(file, meter));
    EXPECT_GE(meter.total(), file.size() - 2);
    EXPECT_LE(meter.total(), file.size() + 10);
  }
}

}  // namespace
}  // namespace imgpress
