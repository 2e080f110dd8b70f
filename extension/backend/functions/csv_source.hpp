// The lines of a CSV text, read by PostgreSQL's own COPY parser.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// Called for each record with its 1-based first line in the text. A field that COPY takes for NULL
// (nothing between two delimiters) arrives as nullptr. May ereport.
using CsvRecordSink = void (*)(void* arg, int line, char** fields, int count);

// Reads `size` bytes of text in the database encoding, in the forms that CsvFeed allows. On
// text that is no CSV (an unclosed quote) returns the parser's message
// and sets `fault_line` to the line where the broken record begins; else nullptr.
char* read_csv(const char* text, size_t size, char delimiter, CsvRecordSink sink, void* arg,
               int* fault_line);

}  // namespace imgpress
