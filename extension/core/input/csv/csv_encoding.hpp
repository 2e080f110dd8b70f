// Checks the encoding of an uploaded file and converts it to UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/input/input_faults.hpp"
#include "core/text/work_meter.hpp"

namespace imgpress {

enum class Encoding { kUtf8, kUtf16Little, kUtf16Big };

// Told by the byte order mark; UTF-8 if there is none.
Encoding encoding_of(std::string_view bytes);

// The first fault with its line and what to do about it; no value for valid UTF-8 (or UTF-16 with a
// byte order mark) without NUL.
std::optional<InputFault> find_encoding_fault(std::string_view bytes, WorkMeter& meter);

// Length of the byte order mark in front of UTF-8 text; 0 if there is none.
std::size_t byte_order_mark_length(std::string_view utf8);

// Converts a file to UTF-8, piece by piece. Leaves out the byte order mark, and cuts between
// characters.
// REQUIRES: find_encoding_fault() found nothing.
class Utf8Pieces {
 public:
  static constexpr std::size_t kMaxPieceBytes = WorkMeter::kPieceBytes;

  explicit Utf8Pieces(std::string_view bytes);

  // Writes the next piece; returns its length, 0 at the end. REQUIRES: room for kMaxPieceBytes.
  std::size_t read(char* out, WorkMeter& meter);

 private:
  Encoding encoding_;
  std::string_view rest_;
};

// Length, with its line end, of the line `sep=;` that Excel writes in front of the header; 0 if
// there is none.
std::size_t separator_line_length(std::string_view csv);

}  // namespace imgpress
