#include "core/input/csv/csv_reader.hpp"

#include <algorithm>

namespace imgpress {
namespace {

constexpr std::size_t kCurlyBytes = 3;  // U+201C to U+201F, in UTF-8

bool opens_curly(std::string_view text) {
  const std::string_view mark = text.substr(0, kCurlyBytes);
  return mark == "\xE2\x80\x9C" || mark == "\xE2\x80\x9D" || mark == "\xE2\x80\x9E" ||
         mark == "\xE2\x80\x9F";
}

bool closes_curly(std::string_view text) {
  const std::string_view mark = text.substr(0, kCurlyBytes);
  return mark == "\xE2\x80\x9C" || mark == "\xE2\x80\x9D" || mark == "\xE2\x80\x9F";
}

// Curly quotation marks begin with the byte E2.
constexpr ByteSet kCurlyOrLineEnd("\xE2\r\n");
constexpr ByteSet kLineEnds("\r\n");

}  // namespace

CsvReader::CsvReader(std::string_view text, CsvDialect dialect, WorkMeter& meter, int first_line)
    : text_(text),
      dialect_(dialect),
      meter_(meter),
      field_ends_("\r\n"),
      quoted_marks_("\r\n"),
      line_(first_line) {
  field_ends_.add(dialect.delimiter);
  quoted_marks_.add(dialect.quote);
}

bool CsvReader::next(CsvRecord& record, std::size_t max_fields) {
  record.fields.clear();
  record.fault.clear();
  record.columns = 0;
  record.line = line_;
  spans_.clear();
  if (at_ >= text_.size()) return false;
  for (;;) {
    const Span span = read_field(record);
    if (record.columns++ < max_fields) spans_.push_back(span);
    if (!record.fault.empty()) at_ = find_any(text_, at_, kLineEnds, meter_);
    if (at_ >= text_.size() || pass_line_end()) break;
    ++at_;  // the delimiter
  }
  build_fields(record.fields);
  return true;
}

// Leaves at_ after the field: at the delimiter, the line end or the end of the text.
CsvReader::Span CsvReader::read_field(CsvRecord& record) {
  const std::size_t start = at_;
  const std::size_t begin =
      skip_blanks_in_field(at_);  // blanks before a quotation mark do not count
  const std::string_view rest = text_.substr(begin);
  if (!rest.empty() && rest.front() == dialect_.quote) {
    return read_quoted(start, begin + 1, record);
  }
  Span span{};
  if (begin >= no_curly_before_ && opens_curly(rest) && read_curly(begin, span)) return span;
  return read_plain(start);
}

CsvReader::Span CsvReader::read_plain(std::size_t begin) {
  at_ = find_any(text_, begin, field_ends_, meter_);
  return {begin, at_, Rewriting::kNone};
}

// Index of the first character at or after `at` that is not a blank, but not beyond the field.
std::size_t CsvReader::skip_blanks_in_field(std::size_t at) {
  while (at < text_.size() && !field_ends_.has(text_[at])) {
    const std::size_t length = blank_length(text_.substr(at));
    meter_.add(1);
    if (length == 0) break;
    at += length;
  }
  return at;
}

// Leaves at_ at the closing quotation mark of the field whose text begins at `begin`; false if
// there is none.
bool CsvReader::find_closing_mark(std::size_t begin, Rewriting& rewriting) {
  for (at_ = begin;;) {
    at_ = find_any(text_, at_, quoted_marks_, meter_);
    if (at_ >= text_.size()) return false;
    const bool after_backslash = at_ > begin && text_[at_ - 1] == '\\';
    if (at_line_end()) {
      if (text_[at_] == '\r' && rewriting == Rewriting::kNone) rewriting = Rewriting::kMarks;
      pass_line_end();
    } else if (after_backslash && rewriting == Rewriting::kBackslashes) {
      ++at_;
    } else if (text_.substr(at_ + 1, 1) == text_.substr(at_, 1)) {
      if (rewriting == Rewriting::kNone) rewriting = Rewriting::kMarks;
      at_ += 2;
    } else if (after_backslash && !ends_field(skip_blanks_in_field(at_ + 1))) {
      rewriting = Rewriting::kBackslashes;
      ++at_;
    } else {
      return true;
    }
  }
}

// Reads a field that starts at `start`; `begin` is the place after its opening quotation mark.
CsvReader::Span CsvReader::read_quoted(std::size_t start, std::size_t begin, CsvRecord& record) {
  const int opened_at = line_;
  Span inside{begin, begin, Rewriting::kNone};
  if (!find_closing_mark(begin, inside.rewriting)) {
    record.fault =
        "not readable as CSV: a quotation mark opens here and is never closed; close it, or double "
        "it if it is part of the text";
    inside.rewriting = Rewriting::kNone;
    return inside;
  }
  inside.end = at_;
  const std::size_t after_mark = at_ + 1;
  at_ = skip_blanks_in_field(after_mark);
  if (ends_field(at_)) return inside;
  if (line_ != opened_at) {
    record.fault = "not readable as CSV: the quotation mark that opens here is closed in line " +
                   std::to_string(line_) +
                   " in the middle of text; double it if it is part of the text";
  }
  return read_literally(start, after_mark);
}

// Reads a field whose quotation marks are text. A pair around the whole field is left out all the
// same.
CsvReader::Span CsvReader::read_literally(std::size_t start, std::size_t after_mark) {
  at_ = find_any(text_, after_mark, field_ends_, meter_);
  const std::string_view field = trim_blanks(text_.substr(start, at_ - start), meter_);
  const auto begin = static_cast<std::size_t>(field.data() - text_.data());
  if (field.size() >= 2 && field.back() == dialect_.quote) {
    return {begin + 1, begin + field.size() - 1, Rewriting::kNone};
  }
  return {begin, begin + field.size(), Rewriting::kNone};
}

// Reads a field that is in curly quotes as a whole; false if it is not. Searches each line once.
bool CsvReader::read_curly(std::size_t begin, Span& span) {
  std::size_t i = begin + kCurlyBytes;
  for (;; ++i) {
    i = find_any(text_, i, kCurlyOrLineEnd, meter_);
    if (i >= text_.size() || text_[i] != '\xE2' || closes_curly(text_.substr(i))) break;
  }
  if (i >= text_.size() || text_[i] != '\xE2') {
    no_curly_before_ = i;
    return false;
  }
  const std::size_t end = skip_blanks_in_field(i + kCurlyBytes);
  if (!ends_field(end)) {
    no_curly_before_ = i;
    return false;
  }
  span = {begin + kCurlyBytes, i, Rewriting::kNone};
  at_ = end;
  return true;
}

bool CsvReader::at_line_end() const {
  return at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r');
}

bool CsvReader::ends_field(std::size_t at) const {
  return at >= text_.size() || field_ends_.has(text_[at]);
}

bool CsvReader::pass_line_end() {
  if (!at_line_end()) return false;
  at_ += text_.substr(at_, 2) == "\r\n" ? 2 : 1;
  ++line_;
  return true;
}

// Appends the value of a quoted field to rewritten_.
void CsvReader::append_rewritten(const Span& span) {
  std::size_t i = span.begin;
  while (i < span.end) {
    const std::string_view field = text_.substr(0, span.end);
    const std::size_t mark = find_any(field, i, quoted_marks_, meter_);
    append_metered(rewritten_, field.substr(i, mark - i), meter_);
    if (mark == span.end) return;
    const char c = text_[mark];
    const bool after_backslash = mark > span.begin && text_[mark - 1] == '\\';
    if (c == dialect_.quote && after_backslash && span.rewriting == Rewriting::kBackslashes) {
      rewritten_.back() = c;
      i = mark + 1;
      continue;
    }
    rewritten_ += c == '\r' ? '\n' : c;
    const std::string_view second = c == '\r' ? "\n" : field.substr(mark, 1);
    i = mark + (c != '\n' && field.substr(mark + 1, 1) == second ? 2 : 1);
  }
}

void CsvReader::build_fields(CsvFields& fields) {
  std::size_t room = 0;
  for (const Span& span : spans_)
    room += span.rewriting == Rewriting::kNone ? 0 : span.end - span.begin;
  rewritten_.clear();
  rewritten_.reserve(room);  // the fields point into it: it must not be reallocated
  for (const Span& span : spans_) {
    if (span.rewriting == Rewriting::kNone) {
      fields.push_back(text_.substr(span.begin, span.end - span.begin));
      continue;
    }
    const std::size_t begin = rewritten_.size();
    append_rewritten(span);
    fields.push_back(std::string_view(rewritten_).substr(begin));
  }
}

}  // namespace imgpress
