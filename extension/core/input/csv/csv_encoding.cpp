#include "core/input/csv/csv_encoding.hpp"

#include <algorithm>
#include <string>

#include "core/input/csv/file_kind.hpp"
#include "core/text/ascii.hpp"
#include "core/text/utf8.hpp"

namespace imgpress {
namespace {

// A character of UTF-16 and its length in bytes; 0 if it is malformed.
struct WideCharacter {
  char32_t code;
  std::size_t length;
};

WideCharacter wide_character(std::string_view bytes, bool big) {
  const auto unit = [&](std::size_t at) -> char32_t {
    const auto low = static_cast<unsigned char>(bytes[at + (big ? 1 : 0)]);
    const auto high = static_cast<unsigned char>(bytes[at + (big ? 0 : 1)]);
    return static_cast<char32_t>(high << 8 | low);
  };
  if (bytes.size() < 2) return {0, 0};
  const char32_t first = unit(0);
  if (!is_high_surrogate(first) && !is_low_surrogate(first)) return {first, 2};
  if (!is_high_surrogate(first) || bytes.size() < 4) return {0, 0};
  const char32_t second = unit(2);
  if (!is_low_surrogate(second)) return {0, 0};
  return {join_surrogates(first, second), 4};
}

InputFault fault_at(int line, bool zero, const char* encoding) {
  return {line, "", (zero ? "holds a zero byte" : std::string("not ") + encoding) + kSaveAsCsv};
}

std::optional<InputFault> find_utf8_fault(std::string_view bytes, WorkMeter& meter) {
  int line = 1;
  for (std::size_t i = 0, counted = 0; i < bytes.size();) {
    const std::size_t length = utf8_character_length(bytes.substr(i));
    if (length == 0) return fault_at(line, bytes[i] == '\0', "UTF-8");
    if (bytes[i] == '\n' || (bytes[i] == '\r' && bytes.substr(i + 1, 1) != "\n")) ++line;
    i += length;
    if (i - counted < WorkMeter::kPieceBytes && i < bytes.size()) continue;
    meter.add(i - counted);
    counted = i;
  }
  return std::nullopt;
}

std::optional<InputFault> find_utf16_fault(std::string_view bytes, bool big, WorkMeter& meter) {
  int line = 1;
  char32_t before = 0;
  for (std::size_t i = 2, counted = 0; i < bytes.size();) {
    const WideCharacter next = wide_character(bytes.substr(i), big);
    if (next.length == 0 || next.code == 0) return fault_at(line, next.length > 0, "UTF-16");
    if (next.code == '\r' || (next.code == '\n' && before != '\r')) ++line;
    before = next.code;
    i += next.length;
    if (i - counted < WorkMeter::kPieceBytes && i < bytes.size()) continue;
    meter.add(i - counted);
    counted = i;
  }
  return std::nullopt;
}

}  // namespace

Encoding encoding_of(std::string_view bytes) {
  if (starts_with(bytes, "\xFF\xFE")) return Encoding::kUtf16Little;
  if (starts_with(bytes, "\xFE\xFF")) return Encoding::kUtf16Big;
  return Encoding::kUtf8;
}

std::optional<InputFault> find_encoding_fault(std::string_view bytes, WorkMeter& meter) {
  if (const char* kind = foreign_kind(bytes)) {
    return InputFault{1, "", std::string("this is ") + kind + ", not a CSV" + kSaveAsCsv};
  }
  if (starts_with(bytes, std::string_view("\xFF\xFE\0\0", 4)) ||
      starts_with(bytes, std::string_view("\0\0\xFE\xFF", 4))) {
    return InputFault{1, "", std::string("this is UTF-32") + kSaveAsCsv};
  }
  const Encoding encoding = encoding_of(bytes);
  if (encoding == Encoding::kUtf8) return find_utf8_fault(bytes, meter);
  return find_utf16_fault(bytes, encoding == Encoding::kUtf16Big, meter);
}

std::size_t byte_order_mark_length(std::string_view utf8) {
  return starts_with(utf8, "\xEF\xBB\xBF") ? 3 : 0;
}

Utf8Pieces::Utf8Pieces(std::string_view bytes) : encoding_(encoding_of(bytes)), rest_(bytes) {
  rest_.remove_prefix(encoding_ == Encoding::kUtf8 ? byte_order_mark_length(bytes) : 2);
}

std::size_t Utf8Pieces::read(char* out, WorkMeter& meter) {
  std::size_t count = 0;
  if (encoding_ == Encoding::kUtf8) {
    const std::string_view piece = cut_at_character(rest_, kMaxPieceBytes);
    count = piece.copy(out, piece.size());
    rest_.remove_prefix(count);
  }
  while (encoding_ != Encoding::kUtf8 && !rest_.empty() && count + 4 <= kMaxPieceBytes) {
    const WideCharacter next = wide_character(rest_, encoding_ == Encoding::kUtf16Big);
    const Utf8Character character = encode_utf8(next.code);
    count += character.view().copy(out + count, character.length);
    rest_.remove_prefix(next.length);
  }
  meter.add(count);
  return count;
}

std::size_t separator_line_length(std::string_view csv) {
  const std::size_t end = std::min<std::size_t>(csv.substr(0, 8).find_first_of("\r\n"), 8);
  if (!starts_with(csv, "sep=") || end < 4 || end > 5) return 0;
  return end + (csv.substr(end, 2) == "\r\n" ? 2 : 1);
}

}  // namespace imgpress
