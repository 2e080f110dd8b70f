#include "core/text/text_scan.hpp"

#include <algorithm>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr char kEndOfFileMark = '\x1A';  // Ctrl-Z, with which DOS programs end a text file

// Decodes a character of three bytes. REQUIRES: the first is 0xE0 to 0xEF.
unsigned three_byte_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
}

bool is_wide_blank(unsigned character) {
  return character == 0x1680 || character == 0x180E ||    // ogham space, mongolian separator
         (character >= 0x2000 && character <= 0x200F) ||  // spaces, zero width, directions
         (character >= 0x2028 && character <= 0x202F) ||  // line ends, directions, narrow
         (character >= 0x205F && character <= 0x2064) ||  // mathematical, word joiner
         (character >= 0x2066 && character <= 0x2069) ||  // directions
         character == 0x3000 || character == 0xFEFF;      // ideographic, byte order mark
}

// Where the blank before `end` begins; `end` if there is none.
std::size_t blank_before(std::string_view text, std::size_t end) {
  for (std::size_t length = 1; length <= 3 && length <= end; ++length) {
    if (blank_length(text.substr(end - length)) == length) return end - length;
  }
  return end;
}

}  // namespace

std::size_t find_any(std::string_view text, std::size_t from, const ByteSet& set,
                     WorkMeter& meter) {
  while (from < text.size()) {
    const std::size_t end = std::min(text.size(), from + WorkMeter::kPieceBytes);
    std::size_t i = from;
    while (i < end && !set.has(text[i])) ++i;
    meter.add(i - from + 1);
    if (i < end) return i;
    from = end;
  }
  return text.size();
}

std::size_t blank_length(std::string_view text) {
  if (text.empty()) return 0;
  if (is_space(text[0]) || text[0] == kEndOfFileMark) return 1;
  switch (static_cast<unsigned char>(text[0])) {
    case 0xC2:
      return text.substr(1, 1) == "\xA0" || text.substr(1, 1) == "\x85" ? 2 : 0;
    case 0xE1:
    case 0xE2:
    case 0xE3:
    case 0xEF:
      return text.size() >= 3 && is_wide_blank(three_byte_character(text)) ? 3 : 0;
    default:
      return 0;
  }
}

std::size_t skip(std::string_view text, std::size_t from,
                 std::size_t (*length_of)(std::string_view), WorkMeter& meter) {
  while (from < text.size()) {
    const std::size_t length = length_of(text.substr(from));
    meter.add(1);
    if (length == 0) break;
    from += length;
  }
  return from;
}

std::size_t skip_blanks(std::string_view text, std::size_t from, WorkMeter& meter) {
  return skip(text, from, blank_length, meter);
}

std::string_view trim_blanks(std::string_view text, WorkMeter& meter) {
  text.remove_prefix(skip_blanks(text, 0, meter));
  std::size_t end = text.size();
  for (;;) {
    const std::size_t begin = blank_before(text, end);
    meter.add(1);
    if (begin == end) return text.substr(0, end);
    end = begin;
  }
}

void append_metered(std::string& out, std::string_view text, WorkMeter& meter) {
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, WorkMeter::kPieceBytes);
    out.append(piece);
    meter.add(piece.size());
    text.remove_prefix(piece.size());
  }
}

}  // namespace imgpress
