// In which of its forms a CSV is written: told by its header.
#pragma once

#include <string_view>

#include "core/input/csv/csv_reader.hpp"

namespace imgpress {

// Reads up to the next record with something in it; false at the end.
bool next_filled(CsvReader& reader, CsvRecord& record, std::size_t most_fields, WorkMeter& meter);

// The delimiter (the one that the file names, or '\0' if it names none, comma, semicolon, tab, bar)
// and the quotation mark in which the header reads best.
CsvDialect detect_dialect(std::string_view text, char named, WorkMeter& meter);

// Where a header stands below lines of another kind, such as a title: its line, 0 without one.
int find_header_below(std::string_view text, WorkMeter& meter);

// Whether a cell is a header by itself: then the lines of the file are in quotes as wholes.
bool is_header_in_a_cell(std::string_view cell, WorkMeter& meter);

}  // namespace imgpress
