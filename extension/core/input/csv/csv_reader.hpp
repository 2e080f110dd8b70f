// Reads CSV as people write it, one record at a time.
//
// A quotation mark opens quoted text only at the beginning of a field, as spreadsheets take it:
// inch marks (12" x 8") are text. A field in quotes that goes on behind its closing mark was never
// meant to be quoted, and is taken as it is written. Curly quotes around a whole field are quotes.
// Lines end with LF, CR LF or CR; within a field each becomes LF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_scan.hpp"

namespace imgpress {

using CsvFields = std::vector<std::string_view>;

struct CsvDialect {
  char delimiter = ',';
  char quote = '"';
};

struct CsvRecord {
  int line = 1;             // where it begins
  CsvFields fields;         // the first of its columns, as many as were asked for
  std::size_t columns = 0;  // all of them
  std::string fault;        // why it cannot be read beyond its last column, or empty
};

class CsvReader {
 public:
  CsvReader(std::string_view text, CsvDialect dialect, WorkMeter& meter, int first_line = 1);

  // Reads the next record; false at the end. The fields borrow from the text and from this reader,
  // until the next call.
  bool next(CsvRecord& record, std::size_t most_fields);

 private:
  enum class Rewriting {
    kNone,
    kMarks,        // holds doubled marks or line ends other than LF
    kBackslashes,  // and marks behind a backslash
  };

  // A field as it stands in the text.
  struct Span {
    std::size_t begin;
    std::size_t end;
    Rewriting rewriting;
  };

  Span read_field(CsvRecord& record);
  Span read_quoted(std::size_t start, std::size_t begin, CsvRecord& record);
  bool find_closing_mark(std::size_t begin, Rewriting& rewriting);
  std::size_t behind_blanks(std::size_t at);
  Span read_plain(std::size_t begin);
  bool read_curly(std::size_t begin, Span& span);
  Span as_written(std::size_t start, std::size_t behind_mark);
  bool pass_line_end();
  bool at_line_end() const;
  bool ends_field(std::size_t at) const;
  void keep(const Span& span);
  void lay_out(CsvFields& fields);

  std::string_view text_;
  CsvDialect dialect_;
  WorkMeter& meter_;
  ByteSet field_ends_;
  ByteSet quoted_marks_;
  std::size_t at_ = 0;
  int line_;
  std::size_t no_curly_before_ = 0;  // known: no whole field in curly quotes begins before here
  std::vector<Span> spans_;
  std::string rewritten_;
};

}  // namespace imgpress
