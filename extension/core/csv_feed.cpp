#include "core/csv_feed.hpp"

#include <algorithm>

namespace imgpress {
namespace {

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}

std::string in_quotes(std::string_view field) {
  std::string out = "\"";
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

}  // namespace

std::size_t CsvFeed::read(char* out, std::size_t room) {
  std::size_t count = 0;
  while (count < room) {
    if (handed_out_ == ready_.size()) {
      ready_.clear();
      handed_out_ = 0;
      if (rest_.empty()) break;
      step();
    }
    const std::size_t part = std::min(room - count, ready_.size() - handed_out_);
    std::copy_n(ready_.data() + handed_out_, part, out + count);
    handed_out_ += part;
    count += part;
  }
  return count;
}

// The field at the front, as far as it goes if it is not quoted.
std::string_view CsvFeed::plain_field() const {
  const char ends[] = {delimiter_, '\n', '\r'};
  return rest_.substr(0, rest_.find_first_of(std::string_view(ends, sizeof(ends))));
}

void CsvFeed::begin_field() {
  const std::string_view field = plain_field();
  const std::size_t first = field.find_first_not_of(' ');
  if (first != std::string_view::npos && field[first] == '"') {
    rest_.remove_prefix(first + 1);  // blanks in front of a quoted field are not part of it
    ready_ = '"';
    place_ = Place::kQuoted;
    return;
  }
  const bool misread = field.find('"') != std::string_view::npos || (line_start_ && field == "\\.");
  ready_ = misread ? in_quotes(field) : std::string(field);
  rest_.remove_prefix(field.size());
  place_ = Place::kPlain;
}

// Moves something from rest_ to ready_.
void CsvFeed::step() {
  if (place_ == Place::kFieldStart) {
    begin_field();
    line_start_ = false;
    return;
  }
  const char c = rest_.front();
  rest_.remove_prefix(1);
  if (c == '\r' && !rest_.empty() && rest_.front() == '\n') rest_.remove_prefix(1);
  ready_ = ends_line(c) ? '\n' : c;
  if (place_ == Place::kQuoted) {
    if (c != '"') return;
    if (!rest_.empty() && rest_.front() == '"') {  // a doubled mark
      ready_ += '"';
      rest_.remove_prefix(1);
    } else {
      place_ = Place::kPlain;
    }
    return;
  }
  if (c == delimiter_ || ends_line(c)) {
    place_ = Place::kFieldStart;
    line_start_ = ends_line(c);
  }
}

}  // namespace imgpress
