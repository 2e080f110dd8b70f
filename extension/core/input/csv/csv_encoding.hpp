// The bytes of an uploaded file as UTF-8 text.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/input/input_faults.hpp"
#include "core/text/work_meter.hpp"

namespace imgpress {

enum class Encoding { kUtf8, kUtf16Little, kUtf16Big };

// By its byte order mark; UTF-8 without one.
Encoding encoding_of(std::string_view bytes);

// Nothing for text without NUL in valid UTF-8, or in UTF-16 behind a byte order mark; else the
// fault with its line and what to do about it.
std::optional<InputFault> find_encoding_fault(std::string_view bytes, WorkMeter& meter);

// Length of the byte order mark in front of UTF-8 text, 0 without one.
std::size_t byte_order_mark_length(std::string_view utf8);

// The text behind the byte order mark as UTF-8, in pieces that hold whole characters.
// REQUIRES: find_encoding_fault() found nothing.
class Utf8Pieces {
 public:
  static constexpr std::size_t kMostBytes = WorkMeter::kPieceBytes;

  explicit Utf8Pieces(std::string_view bytes);

  // Writes the next piece; returns its length, 0 at the end. REQUIRES: room for kMostBytes.
  std::size_t read(char* out, WorkMeter& meter);

 private:
  Encoding encoding_;
  std::string_view rest_;
};

// Length of the line `sep=;` that spreadsheets put in front of the header, with its line end; else
// 0.
std::size_t separator_line_length(std::string_view csv);

}  // namespace imgpress
