#include "core/input/serial_number.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kMaxTextBytes = 100;  // no number is longer, however it is written
constexpr std::string_view kUnicodeMinus = "\xE2\x88\x92";
constexpr std::string_view kCurlyApostrophe = "\xE2\x80\x99";

// Replaces every kind of blank, apostrophe and minus sign by the ASCII one.
std::string simplified(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = blank_length(text);
    if (length > 0) {
      out += ' ';
    } else if (starts_with(text, kCurlyApostrophe)) {
      out += '\'';
      length = 3;
    } else if (starts_with(text, kUnicodeMinus)) {
      out += '-';
      length = 3;
    } else {
      out += text.front();
      length = 1;
    }
    text.remove_prefix(length);
  }
  return out;
}

// Removes the separators from "12,345,678". No value unless every group after the first has three
// digits.
std::optional<std::string> join_groups(std::string_view number, char separator) {
  std::string digits;
  std::size_t length = 0;  // of the group so far
  bool first = true;
  for (const char c : number) {
    if (c != separator) {
      if (!is_digit(c)) return std::nullopt;
      digits += c;
      ++length;
      continue;
    }
    if (length == 0 || length > 3 || (!first && length != 3)) return std::nullopt;
    first = false;
    length = 0;
  }
  if (!first && length != 3) return std::nullopt;
  return digits;
}

// The digits of an integer without its sign; no value if it is not one.
std::optional<std::string> whole_digits(std::string_view number) {
  const std::size_t separators = number.find_first_not_of("0123456789");
  if (separators == std::string_view::npos) return std::string(number);
  // A fraction of zeros: after the last mark, unless that separates thousands.
  const std::size_t mark = number.find_last_of(".,");
  if (mark != std::string_view::npos) {
    const std::string_view fraction = number.substr(mark + 1);
    const bool zeros = fraction.find_first_not_of('0') == std::string_view::npos;
    const char other = number[mark] == '.' ? ',' : '.';
    const bool is_fraction =
        fraction.size() != 3 || number.find(other) < mark;  // 1.00, and 1,000.000
    if (zeros && is_fraction && number.find(number[mark]) == mark) {
      const std::string_view whole = number.substr(0, mark);
      return whole.find(other) < mark ? join_groups(whole, other) : whole_digits(whole);
    }
    // "1.000" is a thousand in some countries and a fraction in others.
    if (number[mark] == '.' && number.find('.') == mark) return std::nullopt;
  }
  const char separator = number[separators];
  if (std::string_view(" .,'").find(separator) == std::string_view::npos) return std::nullopt;
  return join_groups(number, separator);
}

std::string fault_of(std::string_view text, std::string_view number) {
  const std::string quoted = quote_shortened(text);
  const std::size_t exponent = number.find_first_of("eE");
  if (exponent != std::string_view::npos && exponent > 0 && is_digit(number[0]) &&
      number.find_first_not_of("0123456789eE+-.,") == std::string_view::npos) {
    return quoted +
           " is a number that a spreadsheet has shortened: format its column as whole numbers and "
           "save the file again";
  }
  const bool one_group = number.size() > 4 && number[number.size() - 4] == '.' &&
                         number.find('.') == number.size() - 4 &&
                         join_groups(number, '.').has_value();
  if (one_group) {
    return "not a plain integer: " + quoted +
           " may mean thousands or a fraction; write it with digits only";
  }
  return "not an integer: " + quoted + "; write a whole number with digits only";
}

}  // namespace

SerialNumber read_serial_number(std::string_view text, WorkMeter& meter) {
  text = trim_blanks(text, meter);
  SerialNumber serial;
  if (text.empty()) {
    serial.fault = "empty: give an integer";
    return serial;
  }
  const std::string simple = simplified(text.substr(0, kMaxTextBytes));
  std::string_view number = simple;
  const bool negative = number.front() == '-';
  if (negative || number.front() == '+') number.remove_prefix(1);
  const bool starts_well = !number.empty() && is_digit(number.front());
  const auto digits =
      starts_well && text.size() <= kMaxTextBytes ? whole_digits(number) : std::nullopt;
  if (!digits) {
    serial.fault = fault_of(text, number);
    return serial;
  }
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  const char* end = signed_digits.data() + signed_digits.size();
  if (std::from_chars(signed_digits.data(), end, serial.value).ec != std::errc()) {
    serial.fault = "out of range: " + quote_shortened(text) + " does not fit into 64 bits";
  }
  return serial;
}

}  // namespace imgpress
