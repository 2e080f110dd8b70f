#include "core/text/utf8.hpp"

namespace imgpress {

std::size_t utf8_character_length(std::string_view text) {
  const auto at = [&](std::size_t i) -> unsigned char {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned char first = at(0);
  const unsigned char second = at(1);
  if (first != 0 && first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F) || !continues(2)) {
    return 0;
  }
  if (first < 0xF0) return 3;
  return continues(3) ? 4 : 0;
}

Utf8Character encode_utf8(char32_t code) {
  // The lower six bits that are left when `shift` bits have been cut off.
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  const auto head = [code](char32_t mark, int shift) {
    return static_cast<char>(mark | code >> shift);
  };
  if (code < 0x80) return {{head(0, 0)}, 1};
  if (code < 0x800) return {{head(0xC0, 6), tail(0)}, 2};
  if (code < 0x10000) return {{head(0xE0, 12), tail(6), tail(0)}, 3};
  return {{head(0xF0, 18), tail(12), tail(6), tail(0)}, 4};
}

std::string_view cut_at_character(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && is_continuation_byte(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace imgpress
