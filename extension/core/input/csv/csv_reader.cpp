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

// A curly quote begins with the byte E2.
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

bool CsvReader::next(CsvRecord& record, std::size_t most_fields) {
  record.fields.clear();
  record.fault.clear();
  record.columns = 0;
  record.line = line_;
  spans_.clear();
  if (at_ >= text_.size()) return false;
  for (;;) {
    const Span span = read_field(record);
    if (record.columns++ < most_fields) spans_.push_back(span);
    if (!record.fault.empty()) at_ = find_any(text_, at_, kLineEnds, meter_);
    if (at_ >= text_.size() || pass_line_end()) break;
    ++at_;  // the delimiter
  }
  lay_out(record.fields);
  return true;
}

// Leaves the place at the delimiter, the line end or the end behind the field.
CsvReader::Span CsvReader::read_field(CsvRecord& record) {
  const std::size_t start = at_;
  const std::size_t begin = behind_blanks(at_);  // those are not part of a quoted field
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

// Index of the first character of this field at or behind `at` that is no blank, or of its end.
std::size_t CsvReader::behind_blanks(std::size_t at) {
  while (at < text_.size() && !field_ends_.has(text_[at])) {
    const std::size_t length = blank_length(text_.substr(at));
    meter_.add(1);
    if (length == 0) break;
    at += length;
  }
  return at;
}

// Leaves the place at the mark that closes what was opened in front of `begin`; false without one.
bool CsvReader::find_closing_mark(std::size_t begin, Rewriting& rewriting) {
  for (at_ = begin;;) {
    at_ = find_any(text_, at_, quoted_marks_, meter_);
    if (at_ >= text_.size()) return false;
    const bool behind_backslash = at_ > begin && text_[at_ - 1] == '\\';
    if (at_line_end()) {
      if (text_[at_] == '\r' && rewriting == Rewriting::kNone) rewriting = Rewriting::kMarks;
      pass_line_end();
    } else if (behind_backslash && rewriting == Rewriting::kBackslashes) {
      ++at_;
    } else if (text_.substr(at_ + 1, 1) == text_.substr(at_, 1)) {
      if (rewriting == Rewriting::kNone) rewriting = Rewriting::kMarks;
      at_ += 2;
    } else if (behind_backslash && !ends_field(behind_blanks(at_ + 1))) {
      rewriting = Rewriting::kBackslashes;
      ++at_;
    } else {
      return true;
    }
  }
}

// `begin` is behind the opening mark of a field that starts at `start`.
CsvReader::Span CsvReader::read_quoted(std::size_t start, std::size_t begin, CsvRecord& record) {
  const int opened_at = line_;
  Span inside{begin, begin, Rewriting::kNone};
  if (!find_closing_mark(begin, inside.rewriting)) {
    record.fault =
        "not readable as CSV: a quotation mark is opened here and closed nowhere; close it, or "
        "write it twice where it belongs to the text";
    inside.rewriting = Rewriting::kNone;
    return inside;
  }
  inside.end = at_;
  const std::size_t behind_mark = at_ + 1;
  at_ = behind_blanks(behind_mark);
  if (ends_field(at_)) return inside;
  if (line_ != opened_at) {
    record.fault =
        "not readable as CSV: the quotation mark that is opened here is closed in line " +
        std::to_string(line_) +
        " in the midst of text; write it twice where it belongs to the text";
  }
  return as_written(start, behind_mark);
}

// A field with marks in it that are no quotes. Marks around the whole of it are still left out.
CsvReader::Span CsvReader::as_written(std::size_t start, std::size_t behind_mark) {
  at_ = find_any(text_, behind_mark, field_ends_, meter_);
  const std::string_view field = trim_blanks(text_.substr(start, at_ - start), meter_);
  const auto begin = static_cast<std::size_t>(field.data() - text_.data());
  if (field.size() >= 2 && field.back() == dialect_.quote) {
    return {begin + 1, begin + field.size() - 1, Rewriting::kNone};
  }
  return {begin, begin + field.size(), Rewriting::kNone};
}

// True for a field that is a whole in curly quotes. Each line is searched once at most.
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
  const std::size_t end = behind_blanks(i + kCurlyBytes);
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

// Appends what a quoted field means to rewritten_.
void CsvReader::keep(const Span& span) {
  std::size_t i = span.begin;
  while (i < span.end) {
    const std::string_view field = text_.substr(0, span.end);
    const std::size_t mark = find_any(field, i, quoted_marks_, meter_);
    append_metered(rewritten_, field.substr(i, mark - i), meter_);
    if (mark == span.end) return;
    const char c = text_[mark];
    const bool behind_backslash = mark > span.begin && text_[mark - 1] == '\\';
    if (c == dialect_.quote && behind_backslash && span.rewriting == Rewriting::kBackslashes) {
      rewritten_.back() = c;
      i = mark + 1;
      continue;
    }
    rewritten_ += c == '\r' ? '\n' : c;
    const std::string_view second = c == '\r' ? "\n" : field.substr(mark, 1);
    i = mark + (c != '\n' && field.substr(mark + 1, 1) == second ? 2 : 1);
  }
}

void CsvReader::lay_out(CsvFields& fields) {
  std::size_t room = 0;
  for (const Span& span : spans_)
    room += span.rewriting == Rewriting::kNone ? 0 : span.end - span.begin;
  rewritten_.clear();
  rewritten_.reserve(room);  // the fields borrow from it, so that it must not move any more
  for (const Span& span : spans_) {
    if (span.rewriting == Rewriting::kNone) {
      fields.push_back(text_.substr(span.begin, span.end - span.begin));
      continue;
    }
    const std::size_t begin = rewritten_.size();
    keep(span);
    fields.push_back(std::string_view(rewritten_).substr(begin));
  }
}

}  // namespace imgpress
