// Reading and writing single characters of UTF-8.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace imgpress {

// True for the second and later bytes of a character.
constexpr bool is_continuation_byte(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Length of the well-formed character at the front of `text` (Unicode 15.0, table 3-7); 0 for NUL
// and where there is none.
std::size_t utf8_character_length(std::string_view text);

// One character, encoded.
struct Utf8Character {
  std::array<char, 4> bytes;
  std::size_t length;
  std::string_view view() const { return {bytes.data(), length}; }
};

// REQUIRES: a code point up to U+10FFFF.
Utf8Character encode_utf8(char32_t code);

// Decodes two UTF-16 units. REQUIRES: is_high_surrogate(high), is_low_surrogate(low).
constexpr char32_t join_surrogates(char32_t high, char32_t low) {
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}
constexpr bool is_high_surrogate(char32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
constexpr bool is_low_surrogate(char32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

// The longest front of UTF-8 text that has at most `max_bytes` bytes and ends with a whole
// character.
std::string_view cut_at_character(std::string_view text, std::size_t max_bytes);

}  // namespace imgpress
