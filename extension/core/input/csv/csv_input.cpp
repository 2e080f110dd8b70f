#include "core/input/csv/csv_input.hpp"

#include "core/input/csv/csv_dialect.hpp"
#include "core/input/csv/csv_encoding.hpp"
#include "core/input/csv/csv_headings.hpp"
#include "core/input/csv/file_kind.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
CsvInput::CsvInput(std::string_view text, WorkMeter& meter, InputFaults& faults)
    : meter_(meter), faults_(faults) {
  text.remove_prefix(byte_order_mark_length(text));
  if (const char* kind = foreign_kind(text)) {
    faults_.add({1, "", std::string("this is ") + kind + ", not a CSV" + kSaveAsCsv});
    return;
  }
  const std::size_t separator_line = separator_line_length(text);
  const char declared = separator_line > 5 && text[4] != '\r' ? text[4] : '\0';
  text.remove_prefix(separator_line);
  const CsvDialect dialect = detect_dialect(text, declared, meter);
  const int first_line = separator_line > 0 ? 2 : 1;
  reader_.emplace(text, dialect, meter, first_line);
  if (!next_filled(*reader_, record_, kMaxColumns, meter_)) {
    faults_.add({1, "", "the file is empty: it needs a header and product rows"});
    return;
  }
  std::string fault = fault_of_header(text, first_line);
  if (fault.empty()) {
    layout_ = CsvLayout::from_header(record_, dialect.delimiter, meter_, faults_);
    if (layout_) {
      headings_ = layout_->headings();
      ignored_ = layout_->ignored();
    }
  } else {
    faults_.add({record_.line, "", std::move(fault)});
  }
}

// Why the first record cannot be a header; empty if it can.
std::string CsvInput::fault_of_header(std::string_view text, int first_line) {
  if (!record_.fault.empty()) return record_.fault;
  if (record_.columns > kMaxColumns) {
    return "the header has " + std::to_string(record_.columns) + " columns, more than " +
           std::to_string(kMaxColumns) + ": put the header " + kUsualHeader +
           " on a line of its own";
  }
  if (count_known(record_.fields) > 0 || looks_like_data(record_.fields, meter_)) return {};
  if (record_.columns == 1 && is_whole_header(record_.fields.front(), meter_)) {
    return "the whole line is in quotation marks: remove those around each line";
  }
  const int below = find_header_below(text, meter_);
  if (below == 0 && record_.columns == 1) {
    return "the header has a single column, " + quote_shortened(record_.fields.front()) +
           ": begin the file with " + kUsualHeader;
  }
  if (below == 0) return {};
  return "the header is in line " + std::to_string(below + first_line - 1) +
         ": remove the lines above it";
}

std::optional<Product> CsvInput::next() {
  while (layout_ && next_filled(*reader_, record_, kMaxRowColumns, meter_)) {
    any_row_ = true;
    if (auto product = read_row()) return product;
  }
  end();
  return std::nullopt;
}

std::optional<Product> CsvInput::read_row() {
  if (!record_.fault.empty()) {
    faults_.add({record_.line, layout_->column_name(record_.columns - 1), record_.fault});
    return std::nullopt;
  }
  if (layout_->is_header(record_)) {
    faults_.add({record_.line, "", "this line repeats the header: remove it"});
    return std::nullopt;
  }
  if (!layout_->read_cells(record_, meter_, cells_, faults_)) return std::nullopt;
  return read_product(record_.line, cells_, meter_, faults_);
}

CsvFields CsvInput::row_fields() const {
  if (!layout_ || layout_->is_usual()) return {};
  return layout_->fields_of(record_, cells_);
}

void CsvInput::end() {
  if (layout_ && !any_row_)
    faults_.add({1, "", "no product row below the header: add at least one"});
  layout_.reset();
}

}  // namespace imgpress
