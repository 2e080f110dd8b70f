// The table of a job and its columns, with the pieces of statements that they need.
#pragma once

#include "backend/bridge/postgres_api.hpp"
#include "backend/bridge/sql_values.hpp"

extern "C" {
#include "lib/stringinfo.h"
}

namespace imgpress {

struct TableColumn {
  const char* name;  // quoted
  Oid type;
  int32 modifier;
};

struct KeyColumnOf : TableColumn {
  Oid array_type;  // InvalidOid: there is none, so values are handed over as text
  const char* equals;
  const char* greater;
  const char* operator_schema;
};

struct TableColumns {
  const char* table;  // qualified and quoted, with ONLY where the table has no partitions
  int key_count;
  KeyColumnOf keys[INDEX_MAX_KEYS];
  TableColumn url;
  TableColumn output;
  TableColumn error;  // without a name if there is none
  const char* output_shape;
};

// Looks the table of the job up; an error if a column is missing.
TableColumns* table_columns(const Row& job);

// The parts of a key, one for each key column.
Datum* key_parts(const TableColumns& table, const char* key);
Datum key_value(const KeyColumnOf& column, Datum part);

// For each key column an array of its values in `chosen` keys (nullptr: all of them).
void key_arrays(const TableColumns& table, const NullableElements& keys, const int* chosen,
                int count, Oid* types, Datum* values);

// "ROWS FROM (unnest($1), ...)" of the key columns and `more` further arrays.
void append_rows_from(StringInfo sql, const TableColumns& table, int more);
// "(k1, k2", for the column names behind it.
void append_key_names(StringInfo sql, const TableColumns& table);
// "t.id = k.k1 AND ..."
void append_key_condition(StringInfo sql, const TableColumns& table);

// Prepares a statement whose plan looks each row up by the index, whatever the statistics say.
SPIPlanPtr prepare_with_index(const char* sql, int count, Oid* types);

}  // namespace imgpress
