#include "core/csv_input.hpp"

#include <algorithm>
#include <array>

#include "core/csv_encoding.hpp"
#include "core/csv_headings.hpp"
#include "core/file_kind.hpp"

namespace imgpress {
namespace {

// Enough for any header that is not refused for its many columns anyway.
constexpr std::size_t kHeaderBytesProbed = std::size_t{64} * 1024;

bool is_blank_record(const CsvRecord& record, WorkMeter& meter) {
  return record.fault.empty() &&
         std::all_of(record.fields.begin(), record.fields.end(),
                     [&](std::string_view field) { return trim_blanks(field, meter).empty(); });
}

// Reads up to the next record with something in it; false at the end.
bool next_filled(CsvReader& reader, CsvRecord& record, std::size_t most_fields, WorkMeter& meter) {
  while (reader.next(record, most_fields)) {
    if (!is_blank_record(record, meter)) return true;
  }
  return false;
}

// How well the header reads in this dialect: known headings first, then columns.
std::size_t score(std::string_view text, CsvDialect dialect, WorkMeter& meter) {
  CsvReader reader(text.substr(0, kHeaderBytesProbed), dialect, meter);
  CsvRecord header;
  if (!next_filled(reader, header, kMostColumns, meter)) return 0;
  const std::size_t known = count_known(header.fields);
  return known > 0 ? kMostColumns + known : std::min(header.columns, kMostColumns);
}

// The delimiter (the one that the file names, comma, semicolon, tab or bar) and the quotation mark
// in which the header reads best.
CsvDialect detect_dialect(std::string_view text, char named, WorkMeter& meter) {
  const std::size_t first = skip_blanks(text.substr(0, kHeaderBytesProbed), 0, meter);
  CsvDialect best;
  best.quote = text.substr(first, 1) == "'" ? '\'' : '"';
  std::size_t best_score = 0;
  for (const char delimiter : {named, ',', ';', '\t', '|'}) {
    const CsvDialect dialect{delimiter, best.quote};
    const std::size_t its_score = delimiter == '\0' ? 0 : score(text, dialect, meter);
    if (its_score <= best_score) continue;
    best = dialect;
    best_score = its_score;
  }
  return best;
}

}  // namespace

CsvInput::CsvInput(std::string_view text, WorkMeter& meter, InputFaults& faults)
    : meter_(meter), faults_(faults) {
  text.remove_prefix(byte_order_mark_length(text));
  if (const char* kind = foreign_kind(text)) {
    faults_.add(
        {1, "", std::string("this is ") + kind + ", not a CSV: save the file as \"CSV UTF-8\""});
    return;
  }
  const std::size_t separator_line = separator_line_length(text);
  const char named = separator_line > 5 && text[4] != '\r' ? text[4] : '\0';
  text.remove_prefix(separator_line);
  const CsvDialect dialect = detect_dialect(text, named, meter);
  reader_.emplace(text, dialect, meter, separator_line > 0 ? 2 : 1);
  read_header(dialect);
}

void CsvInput::read_header(CsvDialect dialect) {
  if (!next_filled(*reader_, record_, kMostColumns, meter_)) {
    faults_.add({1, "", "the file is empty: it needs a header and product rows"});
  } else if (!record_.fault.empty()) {
    faults_.add({record_.line, "", record_.fault});
  } else if (record_.columns > kMostColumns) {
    faults_.add(
        {record_.line, "",
         "the header has " + std::to_string(record_.columns) + " columns, more than " +
             std::to_string(kMostColumns) +
             ": put the header S. No.,Product Name,Input Image Urls into a line of its own"});
  } else {
    layout_ = CsvLayout::from_header(record_, dialect.delimiter, meter_, faults_);
    if (layout_) ignored_ = layout_->ignored();
  }
}

std::optional<Product> CsvInput::next() {
  while (layout_ && next_filled(*reader_, record_, kMostRowColumns, meter_)) {
    any_row_ = true;
    if (auto product = read_row()) return product;
  }
  note_end();
  return std::nullopt;
}

std::optional<Product> CsvInput::read_row() {
  if (!record_.fault.empty()) {
    faults_.add({record_.line, layout_->column_name(record_.columns - 1), record_.fault});
    return std::nullopt;
  }
  if (!layout_->read_cells(record_, meter_, cells_, faults_)) return std::nullopt;
  return read_product(record_.line, cells_, meter_, faults_);
}

void CsvInput::note_end() {
  if (layout_ && !any_row_) faults_.add({1, "", "no product row below the header"});
  layout_.reset();
}

}  // namespace imgpress
