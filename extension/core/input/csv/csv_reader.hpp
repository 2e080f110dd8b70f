// Reads CSV as people write it, one record at a time.
//
// A quotation mark opens a quoted field only at the beginning of the field, as in spreadsheets:
// inch marks (12" x 8") are text. If text follows the closing mark, the marks were not meant as
// quotes, and the field is taken literally. Curly quotation marks around a whole field quote it as
// well. Lines end with LF, CR LF or CR; inside a field each becomes LF.
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
  int line = 1;             // its first line
  CsvFields fields;         // its first columns, up to `max_fields`
  std::size_t columns = 0;  // how many there are in all
  std::string fault;        // why the last of `columns` cannot be read, or empty
};

class CsvReader {
 public:
  CsvReader(std::string_view text, CsvDialect dialect, WorkMeter& meter, int first_line = 1);

  // Reads the next record; false at the end. The fields point into the text and into this reader,
  // until the next call.
  bool next(CsvRecord& record, std::size_t max_fields);

 private:
  enum class Rewriting {
    kNone,
    kMarks,        // of doubled quotation marks and line ends other than LF
    kBackslashes,  // and of quotation marks escaped by a backslash
  };

  // A field in the text, and what must be rewritten to get its value.
  struct Span {
    std::size_t begin;
    std::size_t end;
    Rewriting rewriting;
  };

  Span read_field(CsvRecord& record);
  Span read_quoted(std::size_t start, std::size_t begin, CsvRecord& record);
  bool find_closing_mark(std::size_t begin, Rewriting& rewriting);
  std::size_t skip_blanks_in_field(std::size_t at);
  Span read_plain(std::size_t begin);
  bool read_curly(std::size_t begin, Span& span);
  Span read_literally(std::size_t start, std::size_t after_mark);
  bool pass_line_end();
  bool at_line_end() const;
  bool ends_field(std::size_t at) const;
  void append_rewritten(const Span& span);
  void build_fields(CsvFields& fields);

  std::string_view text_;
  CsvDialect dialect_;
  WorkMeter& meter_;
  ByteSet field_ends_;
  ByteSet quoted_marks_;
  std::size_t at_ = 0;
  int line_;
  std::size_t no_curly_before_ =
      0;  // no field before this place is in curly quotes: searched already
  std::vector<Span> spans_;
  std::string rewritten_;
};

}  // namespace imgpress
