// Detects the dialect of a CSV (delimiter and quotation mark) by its header.
#pragma once

#include <string_view>

#include "core/input/csv/csv_reader.hpp"

namespace imgpress {

// Reads the next record that is not blank; false at the end.
bool next_filled(CsvReader& reader, CsvRecord& record, std::size_t max_fields, WorkMeter& meter);

// The dialect in which the most headings are recognised. Delimiters are comma, semicolon, tab, bar,
// and `declared`, the one that a line `sep=` in front of the header declares ('\0' without one).
CsvDialect detect_dialect(std::string_view text, char declared, WorkMeter& meter);

// The line of a header that other lines precede, such as a title; 0 if there is none.
int find_header_below(std::string_view text, WorkMeter& meter);

// True if one cell holds a whole header, as in a file whose lines are each in quotation marks.
bool is_whole_header(std::string_view cell, WorkMeter& meter);

}  // namespace imgpress
