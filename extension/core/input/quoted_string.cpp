#include "core/input/quoted_string.hpp"

#include <charconv>
#include <optional>

namespace imgpress {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

void append_percent(std::string& out, std::uint32_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  out += {'%', kDigits[byte >> 4 & 15], kDigits[byte & 15]};
}

void append_character(std::string& out, std::uint32_t code) {
  if (code > ' ' && code <= '~') {
    out += static_cast<char>(code);
  } else if (code < 0x80) {
    append_percent(out, code);
  } else if (code < 0x800) {
    append_percent(out, 0xC0 | code >> 6);
    append_percent(out, 0x80 | (code & 0x3F));
  } else {
    if (code < 0x10000) {
      append_percent(out, 0xE0 | code >> 12);
    } else {
      append_percent(out, 0xF0 | code >> 18);
      append_percent(out, 0x80 | (code >> 12 & 0x3F));
    }
    append_percent(out, 0x80 | (code >> 6 & 0x3F));
    append_percent(out, 0x80 | (code & 0x3F));
  }
}

// The number behind \u at the front of `text`.
std::optional<std::uint32_t> unicode_escape(std::string_view text) {
  if (text.size() < 6 || text.substr(0, 2) != "\\u") return std::nullopt;
  std::uint32_t unit = 0;
  const auto [stop, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  if (error != std::errc() || stop != text.data() + 6) return std::nullopt;
  return unit;
}

// Reads the escape at the front of `text`; returns its length. REQUIRES: two bytes at least.
std::size_t read_json_escape(std::string_view text, std::string& out) {
  const std::optional<std::uint32_t> unit = unicode_escape(text);
  if (!unit) {
    constexpr std::string_view kLetters = "bfnrt";
    constexpr std::string_view kMeanings = "\b\f\n\r\t";
    const std::size_t known = kLetters.find(text[1]);
    if (known == std::string_view::npos) {
      out += text[1];
    } else {
      append_percent(out, static_cast<unsigned char>(kMeanings[known]));
    }
    return 2;
  }
  if (*unit < 0xD800 || *unit > 0xDFFF) return append_character(out, *unit), 6;
  const auto low = *unit < 0xDC00 ? unicode_escape(text.substr(6)) : std::nullopt;
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return append_character(out, kReplacement), 6;
  append_character(out, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
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
