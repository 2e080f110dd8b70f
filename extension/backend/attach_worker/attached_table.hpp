// The statements on an attached table. Called inside a transaction as its owner, with SPI
// connected. All names in them are qualified, so that they mean the same whatever the search_path.
#pragma once

#include "backend/bridge/postgres_api.hpp"
#include "backend/bridge/sql_values.hpp"

namespace imgpress {

// What a row holds, in arrays; allocated in the memory context of the job.
struct ReadRows {
  int count;
  Datum keys;     // text[]
  Datum found;    // boolean[]
  Datum urls;     // text[], of the URL column
  Datum digests;  // bytea[], of these
  Datum cursor;   // text[], the parts of the last key of a scan; 0: no row
};

struct WrittenRows {
  Datum outcomes;  // text[], as record_writes() expects them
  Datum digests;   // bytea[], of the values that were written
};

// Reads the rows with the keys of the job.
void read_keys(const Row& job, MemoryContext memory, ReadRows* rows);

// Reads the rows after the cursor of the job, in the order of their keys.
void scan_rows(const Row& job, MemoryContext memory, ReadRows* rows);

// Writes the values of the job, where nobody has locked the row and its URL is what was compressed.
void write_rows(const Row& job, MemoryContext memory, WrittenRows* rows);

}  // namespace imgpress
