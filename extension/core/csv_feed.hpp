// Turns CSV as people write it into CSV as PostgreSQL's COPY reads it, without parsing it.
//
// COPY takes a quotation mark in the middle of a field for the beginning of quoted text, so that
// two inch marks (12" x 8") would swallow everything between them, line ends included; a line of \.
// would end the file; and it refuses files that mix line ends. Here a mark counts as a quote only
// at the beginning of a field, as spreadsheets take it; any other field that COPY would misread is
// handed on in quotes. Line ends become LF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace imgpress {

class CsvFeed {
 public:
  CsvFeed() = default;
  CsvFeed(std::string_view text, char delimiter) : rest_(text), delimiter_(delimiter) {}

  // Writes the next bytes, at most `room`; returns how many, 0 at the end. REQUIRES: room > 0.
  std::size_t read(char* out, std::size_t room);

 private:
  enum class Place { kFieldStart, kPlain, kQuoted };

  void begin_field();
  void step();
  std::string_view plain_field() const;

  std::string_view rest_;
  char delimiter_ = ',';
  Place place_ = Place::kFieldStart;
  bool line_start_ = true;
  std::string ready_;  // rewritten and not handed out yet
  std::size_t handed_out_ = 0;
};

}  // namespace imgpress
