#include "core/input/csv/csv_dialect.hpp"

#include <algorithm>

#include "core/input/csv/csv_headings.hpp"
#include "core/input/csv/csv_layout.hpp"

namespace imgpress {
namespace {

// Enough for any header that is not refused for its many columns anyway.
constexpr std::size_t kHeaderBytesProbed = std::size_t{64} * 1024;
constexpr int kRecordsProbed = 20;
constexpr std::size_t kHeadingsOfAHeader = 2;  // known ones
constexpr char kDelimiters[] = {',', ';', '\t', '|'};

bool is_blank_record(const CsvRecord& record, WorkMeter& meter) {
  return record.fault.empty() &&
         std::all_of(record.fields.begin(), record.fields.end(),
                     [&](std::string_view field) { return trim_blanks(field, meter).empty(); });
}

// How well the header reads in this dialect: known headings first, then columns.
std::size_t score(std::string_view text, CsvDialect dialect, WorkMeter& meter) {
  CsvReader reader(text.substr(0, kHeaderBytesProbed), dialect, meter);
  CsvRecord header;
  if (!next_filled(reader, header, kMostColumns, meter)) return 0;
  const std::size_t known = count_known(header.fields);
  return known > 0 ? kMostColumns + known : std::min(header.columns, kMostColumns);
}

}  // namespace

bool next_filled(CsvReader& reader, CsvRecord& record, std::size_t most_fields, WorkMeter& meter) {
  while (reader.next(record, most_fields)) {
    if (!is_blank_record(record, meter)) return true;
  }
  return false;
}

CsvDialect detect_dialect(std::string_view text, char named, WorkMeter& meter) {
  const std::size_t first = skip_blanks(text.substr(0, kHeaderBytesProbed), 0, meter);
  CsvDialect best;
  best.quote = text.substr(first, 1) == "'" ? '\'' : '"';
  std::size_t best_score = 0;
  const auto consider = [&](char delimiter) {
    const CsvDialect dialect{delimiter, best.quote};
    const std::size_t its_score = score(text, dialect, meter);
    if (its_score <= best_score) return;
    best = dialect;
    best_score = its_score;
  };
  if (named != '\0') consider(named);
  for (const char delimiter : kDelimiters) consider(delimiter);
  return best;
}

int find_header_below(std::string_view text, WorkMeter& meter) {
  for (const char delimiter : kDelimiters) {
    CsvReader reader(text.substr(0, kHeaderBytesProbed), {delimiter, '"'}, meter);
    CsvRecord record;
    for (int i = 0; i < kRecordsProbed && next_filled(reader, record, kMostColumns, meter); ++i) {
      if (i > 0 && count_known(record.fields) >= kHeadingsOfAHeader) return record.line;
    }
  }
  return 0;
}

bool is_header_in_a_cell(std::string_view cell, WorkMeter& meter) {
  return std::any_of(std::begin(kDelimiters), std::end(kDelimiters), [&](char delimiter) {
    return score(cell, {delimiter, '"'}, meter) >= kMostColumns + kHeadingsOfAHeader;
  });
}

}  // namespace imgpress
