#include "core/input/quoted_string.hpp"

#include <charconv>
#include <optional>

#include "core/text/ascii.hpp"
#include "core/text/utf8.hpp"

namespace imgpress {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

void append_character(std::string& out, char32_t code) {
  const Utf8Character encoded = encode_utf8(code);
  for (const char byte : encoded.view()) {
    if (byte > ' ' && byte <= '~') {
      out += byte;
    } else {
      append_percent_encoded(out, byte);
    }
  }
}

// The UTF-16 unit of an escape such as \u00e9 at the front of `text`.
std::optional<char32_t> unicode_escape(std::string_view text) {
  if (text.size() < 6 || !starts_with(text, "\\u")) return std::nullopt;
  std::uint32_t unit = 0;
  const auto [stop, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  if (error != std::errc() || stop != text.data() + 6) return std::nullopt;
  return static_cast<char32_t>(unit);
}

// Reads the escape at the front of `text`; returns its length. REQUIRES: at least two bytes.
std::size_t read_json_escape(std::string_view text, std::string& out) {
  const std::optional<char32_t> unit = unicode_escape(text);
  if (!unit) {
    constexpr std::string_view kLetters = "bfnrt";
    constexpr std::string_view kMeanings = "\b\f\n\r\t";
    const std::size_t known = kLetters.find(text[1]);
    if (known == std::string_view::npos) {
      out += text[1];
    } else {
      append_percent_encoded(out, kMeanings[known]);
    }
    return 2;
  }
  if (!is_high_surrogate(*unit) && !is_low_surrogate(*unit)) return append_character(out, *unit), 6;
  const auto low = is_high_surrogate(*unit) ? unicode_escape(text.substr(6)) : std::nullopt;
  if (!low || !is_low_surrogate(*low)) return append_character(out, kReplacement), 6;
  append_character(out, join_surrogates(*unit, *low));
  return 12;
}

}  // namespace

std::size_t read_quoted_string(std::string_view text, std::size_t begin, Escapes escapes,
                               std::string& out, WorkMeter& meter) {
  const char quote = text[begin];
  ByteSet marks("\\");
  marks.add(quote);
  for (std::size_t i = begin + 1;;) {
    const std::size_t mark = find_any(text, i, marks, meter);
    append_metered(out, text.substr(i, mark - i), meter);
    if (mark >= text.size()) return std::string_view::npos;
    if (text[mark] == quote) return mark + 1;
    if (mark + 1 >= text.size()) return std::string_view::npos;
    if (escapes == Escapes::kJson) {
      i = mark + read_json_escape(text.substr(mark), out);
    } else {
      out += text[mark + 1];
      i = mark + 2;
    }
  }
}

}  // namespace imgpress
