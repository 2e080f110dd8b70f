#include "core/input/csv/csv_dialect.hpp"

#include <algorithm>

#include "core/input/csv/csv_headings.hpp"
#include "core/input/csv/csv_layout.hpp"

namespace imgpress {
namespace {

// A longer header would be refused for its many columns.
constexpr std::size_t kHeaderBytesProbed = std::size_t{64} * 1024;
constexpr int kRecordsProbed = 20;
constexpr std::size_t kMinKnownHeadings = 2;  // in a record that is taken for a header
constexpr char kDelimiters[] = {',', ';', '\t', '|'};

bool is_blank_record(const CsvRecord& record, WorkMeter& meter) {
  return record.fault.empty() &&
         std::all_of(record.fields.begin(), record.fields.end(),
                     [&](std::string_view field) { return trim_blanks(field, meter).empty(); });
}

// How well the header reads in this dialect: by known headings, and without any by columns.
std::size_t score(std::string_view text, CsvDialect dialect, WorkMeter& meter) {
  CsvReader reader(text.substr(0, kHeaderBytesProbed), dialect, meter);
  CsvRecord header;
  if (!next_filled(reader, header, kMaxColumns, meter)) return 0;
  const std::size_t known = count_known(header.fields);
  return known > 0 ? kMaxColumns + known : std::min(header.columns, kMaxColumns);
}

}  // namespace

bool next_filled(CsvReader& reader, CsvRecord& record, std::size_t max_fields, WorkMeter& meter) {
  while (reader.next(record, max_fields)) {
    if (!is_blank_record(record, meter)) return true;
  }
  return false;
}

CsvDialect detect_dialect(std::string_view text, char declared, WorkMeter& meter) {
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
  if (declared != '\0') consider(declared);
  for (const char delimiter : kDelimiters) consider(delimiter);
  return best;
}

int find_header_below(std::string_view text, WorkMeter& meter) {
  for (const char delimiter : kDelimiters) {
    CsvReader reader(text.substr(0, kHeaderBytesProbed), {delimiter, '"'}, meter);
    CsvRecord record;
    for (int i = 0; i < kRecordsProbed && next_filled(reader, record, kMaxColumns, meter); ++i) {
      if (i > 0 && count_known(record.fields) >= kMinKnownHeadings) return record.line;
    }
  }
  return 0;
}

bool is_whole_header(std::string_view cell, WorkMeter& meter) {
  return std::any_of(std::begin(kDelimiters), std::end(kDelimiters), [&](char delimiter) {
    return score(cell, {delimiter, '"'}, meter) >= kMaxColumns + kMinKnownHeadings;
  });
}

}  // namespace imgpress
