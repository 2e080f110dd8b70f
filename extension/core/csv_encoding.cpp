#include "core/csv_encoding.hpp"

#include <algorithm>

namespace imgpress {
namespace {

constexpr const char* kRemedy = ": save the file as \"CSV UTF-8\"";

bool starts_with(std::string_view bytes, std::string_view prefix) {
  return bytes.substr(0, prefix.size()) == prefix;
}

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

// Length of the well-formed sequence at the front (Unicode 15.0, table 3-7), 0 if there is none.
std::size_t sequence_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : static_cast<unsigned char>(0);
  };
  const unsigned char first = at(0);
  const unsigned char second = at(1);
  if (first != 0 && first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !is_continuation(second)) return 0;
  if (first < 0xE0) return 2;
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F) ||
      !is_continuation(at(2))) {
    return 0;
  }
  if (first < 0xF0) return 3;
  return is_continuation(at(3)) ? 4 : 0;
}

}  // namespace

std::optional<InputFault> find_encoding_fault(std::string_view bytes) {
  if (starts_with(bytes, "PK\x03\x04")) {
    return InputFault{
        1, "", std::string("this is a spreadsheet (or another archive), not a CSV") + kRemedy};
  }
  if (starts_with(bytes, "\xFF\xFE") || starts_with(bytes, "\xFE\xFF")) {
    return InputFault{1, "", std::string("this is UTF-16, not UTF-8") + kRemedy};
  }
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = sequence_length(bytes.substr(i));
    if (length == 0) {
      const auto line_ends =
          std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(i), '\n');
      return InputFault{
          static_cast<int>(line_ends) + 1, "",
          std::string(bytes[i] == '\0' ? "holds a zero byte" : "not UTF-8") + kRemedy};
    }
    i += length;
  }
  return std::nullopt;
}

std::size_t byte_order_mark_length(std::string_view utf8) {
  return starts_with(utf8, "\xEF\xBB\xBF") ? 3 : 0;
}

std::size_t separator_line_length(std::string_view csv) {
  const std::size_t end = csv.find_first_of("\r\n");
  if (!starts_with(csv, "sep=") || end == std::string_view::npos || end > 6) return 0;
  return end + (csv.substr(end, 2) == "\r\n" ? 2 : 1);
}

}  // namespace imgpress
