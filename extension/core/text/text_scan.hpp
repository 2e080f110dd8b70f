// Searching and trimming text of any length. Each function takes time linear in what it reads, and
// reports that to a WorkMeter, so that it can be interrupted.
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

// Index of the first byte of the set at or after `from`; text.size() if there is none.
std::size_t find_any(std::string_view text, std::size_t from, const ByteSet& set, WorkMeter& meter);

// Length of the blank at the front of `text`; 0 if there is none. Blanks are ASCII white space, its
// relatives in UTF-8 (no-break, thin, ideographic and zero-width spaces, line and paragraph
// separators), and what is as invisible: direction marks and byte order marks.
std::size_t blank_length(std::string_view text);

// Skips while `length_of` finds something (it returns the length to skip, or 0): index of the first
// byte at or after `from` that is not skipped.
std::size_t skip(std::string_view text, std::size_t from,
                 std::size_t (*length_of)(std::string_view), WorkMeter& meter);

// Index of the first character at or after `from` that is not a blank; text.size() if there is
// none.
std::size_t skip_blanks(std::string_view text, std::size_t from, WorkMeter& meter);

// `text` without the blanks at both ends.
std::string_view trim_blanks(std::string_view text, WorkMeter& meter);

// Appends text of any length to `out`.
void append_metered(std::string& out, std::string_view text, WorkMeter& meter);

}  // namespace imgpress
