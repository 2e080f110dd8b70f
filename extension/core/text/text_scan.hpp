// Walking over text of any length: each function is linear and tells a WorkMeter what it looks at.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/text/work_meter.hpp"

namespace imgpress {

class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view bytes) {
    for (const char c : bytes) add(c);
  }
  constexpr void add(char c) { has_[static_cast<unsigned char>(c)] = true; }
  constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }

 private:
  std::array<bool, 256> has_{};
};

// Where the first byte of the set stands at or behind `from`; text.size() without one.
std::size_t find_any(std::string_view text, std::size_t from, const ByteSet& set, WorkMeter& meter);

// Length of the blank at the front of `text`, 0 without one. Blanks are ASCII's white space and
// what looks like it in UTF-8: no-break, thin, ideographic and zero-width spaces, marks of
// direction, line and paragraph separators, byte order marks.
std::size_t blank_length(std::string_view text);

// Index of the first place at or behind `from` where `length_of` finds nothing to skip; text.size()
// without one.
std::size_t skip(std::string_view text, std::size_t from,
                 std::size_t (*length_of)(std::string_view), WorkMeter& meter);

// Index of the first character at or behind `from` that is no blank; text.size() without one.
std::size_t skip_blanks(std::string_view text, std::size_t from, WorkMeter& meter);

// Without the blanks at both ends.
std::string_view trim_blanks(std::string_view text, WorkMeter& meter);

// Appends text of any length to `out`.
void append_metered(std::string& out, std::string_view text, WorkMeter& meter);

}  // namespace imgpress
