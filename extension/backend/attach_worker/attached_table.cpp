#include "backend/attach_worker/attached_table.hpp"

#include "backend/attach/key_text.hpp"
#include "backend/attach_worker/table_columns.hpp"

extern "C" {
#include "executor/spi.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
}

namespace imgpress {
namespace {

constexpr int kMostParameters = INDEX_MAX_KEYS + 2;

// SHA-256 of a text or bytea.
Datum digest_of(Datum value) {
  return DirectFunctionCall1(sha256_bytea, PointerGetDatum(PG_DETOAST_DATUM_PACKED(value)));
}

bool same_bytes(Datum one, bool one_is_null, Datum other, bool other_is_null) {
  if (one_is_null || other_is_null) return one_is_null == other_is_null;
  return datumIsEqual(PointerGetDatum(PG_DETOAST_DATUM(one)),
                      PointerGetDatum(PG_DETOAST_DATUM(other)), false, -1);
}

Datum column_of(uint64 row, int column, bool* is_null) {
  return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, is_null);
}

int ordinal_of(uint64 row, int column) {
  bool is_null = false;
  return static_cast<int>(DatumGetInt64(column_of(row, column, &is_null))) - 1;
}

void execute(SPIPlanPtr plan, Datum* values, bool read_only) {
  const int result = SPI_execute_plan(plan, values, nullptr, read_only, 0);
  if (result < 0) elog(ERROR, "cannot execute: %s", SPI_result_code_string(result));
}

// Collects what a SELECT has read.
struct RowArrays {
  explicit RowArrays(int count)
      : found(BOOLOID, count), urls(TEXTOID, count), digests(BYTEAOID, count) {}
  void set(int i, uint64 row, int url_column) {
    bool is_null = false;
    const Datum url = column_of(row, url_column, &is_null);
    found.set(i, BoolGetDatum(true));
    if (is_null) return;
    urls.set(i, url);
    digests.set(i, digest_of(url));
  }
  void store(MemoryContext memory, ReadRows* rows) const {
    const MemoryContext before = MemoryContextSwitchTo(memory);
    rows->found = found.datum();
    rows->urls = urls.datum();
    rows->digests = digests.datum();
    MemoryContextSwitchTo(before);
  }
  ArrayArgument found;
  ArrayArgument urls;
  ArrayArgument digests;
};

// Parameters for the parts of the key behind which a scan goes on.
int cursor_arguments(const Row& job, const TableColumns& table, Oid* types, Datum* values) {
  const Elements after = array_elements(job, "scan_after");
  if (after.count != table.key_count) return 0;
  for (int i = 0; i < after.count; ++i) {
    types[i] = table.keys[i].type;
    values[i] = key_value(table.keys[i], after.values[i]);
  }
  return after.count;
}

void append_list(StringInfo sql, const TableColumns& table, const char* format) {
  for (int i = 0; i < table.key_count; ++i) {
    if (i > 0) appendStringInfoString(sql, ", ");
    if (format[0] == '$') {
      appendStringInfo(sql, "$%d", i + 1);
    } else {
      appendStringInfo(sql, "t.%s", table.keys[i].name);
    }
  }
}

bool operators_are_in_one_schema(const TableColumns& table) {
  for (int i = 1; i < table.key_count; ++i) {
    if (strcmp(table.keys[i].operator_schema, table.keys[0].operator_schema) != 0) return false;
    if (strcmp(table.keys[i].greater, table.keys[0].greater) != 0) return false;
  }
  return true;
}

// "The key is greater than the parameters", so that an index on the key can begin there.
void append_after(StringInfo sql, const TableColumns& table) {
  if (operators_are_in_one_schema(table)) {
    appendStringInfoString(sql, " WHERE ROW(");
    append_list(sql, table, "t");
    appendStringInfo(sql, ") %s ROW(", table.keys[0].greater);
    append_list(sql, table, "$");
    appendStringInfoString(sql, ")");
    return;
  }
  appendStringInfoString(sql, " WHERE ");
  for (int i = 0; i < table.key_count; ++i) {
    appendStringInfo(sql, "%s(", i > 0 ? " OR " : "");
    for (int k = 0; k <= i; ++k) {
      const KeyColumnOf& key = table.keys[k];
      appendStringInfo(sql, "%st.%s %s $%d", k > 0 ? " AND " : "", key.name,
                       k < i ? key.equals : key.greater, k + 1);
    }
    appendStringInfoString(sql, ")");
  }
}

// The statement that reads the rows after the cursor, in the order of their keys.
SPIPlanPtr prepare_scan(const Row& job, const TableColumns& table, int arguments, Oid* types) {
  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfoString(&sql, "SELECT ");
  append_list(&sql, table, "t");
  appendStringInfo(&sql, ", t.%s::pg_catalog.text FROM %s AS t", table.url.name, table.table);
  if (arguments > 0) append_after(&sql, table);
  appendStringInfoString(&sql, " ORDER BY ");
  append_list(&sql, table, "t");
  appendStringInfo(&sql, " LIMIT %d", job.get_int4("scan_limit"));
  return prepare_with_index(sql.data, arguments, types);
}

// The keys of the rows of a result that begins with the key columns.
class RowKeys {
 public:
  explicit RowKeys(const TableColumns& table)
      : slot_(MakeSingleTupleTableSlot(SPI_tuptable->tupdesc, &TTSOpsHeapTuple)) {
    AttrNumber numbers[INDEX_MAX_KEYS];
    for (int i = 0; i < table.key_count; ++i) numbers[i] = static_cast<AttrNumber>(i + 1);
    format_ = key_format(SPI_tuptable->tupdesc, numbers, table.key_count, CurrentMemoryContext);
  }
  const char* of(uint64 row) {
    ExecStoreHeapTuple(SPI_tuptable->vals[row], slot_, false);
    return key_text(format_, slot_);
  }
  // Not by a destructor: an error may leave it out, which the end of the transaction makes up for.
  void end() { ExecDropSingleTupleTableSlot(slot_); }

 private:
  KeyFormat* format_;
  TupleTableSlot* slot_;
};

// The cursor behind a key, as the job has it.
Datum cursor_at(const TableColumns& table, const char* key) {
  const Datum* parts = key_parts(table, key);
  ArrayArgument cursor(TEXTOID, table.key_count);
  for (int i = 0; i < table.key_count; ++i) cursor.set(i, parts[i]);
  return cursor.datum();
}

// The statement that locks the rows of a job and reads what is in them.
SPIPlanPtr prepare_lock(const TableColumns& table, Oid* types) {
  StringInfoData sql;
  initStringInfo(&sql);
  const bool bytes = strcmp(table.output_shape, "bytea") == 0;
  appendStringInfo(&sql, "SELECT k.n, t.%s::pg_catalog.text, t.%s::pg_catalog.%s, ", table.url.name,
                   table.output.name, bytes ? "bytea" : "text");
  if (table.error.name != nullptr) {
    appendStringInfo(&sql, "t.%s::pg_catalog.text FROM ", table.error.name);
  } else {
    appendStringInfoString(&sql, "NULL::pg_catalog.text FROM ");
  }
  append_rows_from(&sql, table, 0);
  appendStringInfoString(&sql, " AS k");
  append_key_names(&sql, table);
  appendStringInfo(&sql, ", n) JOIN %s AS t ON ", table.table);
  append_key_condition(&sql, table);
  appendStringInfoString(&sql, " FOR NO KEY UPDATE OF t SKIP LOCKED");
  return prepare_with_index(sql.data, table.key_count, types);
}

SPIPlanPtr prepare_update(const TableColumns& table, Oid* types) {
  StringInfoData sql;
  initStringInfo(&sql);
  const int more = table.error.name != nullptr ? 2 : 1;
  const char* cast = strcmp(table.output_shape, "array") == 0   ? "::pg_catalog.text[]"
                     : strcmp(table.output_shape, "jsonb") == 0 ? "::pg_catalog.jsonb"
                                                                : "";
  appendStringInfo(&sql, "UPDATE %s AS t SET %s = k.value%s", table.table, table.output.name, cast);
  if (more == 2) {
    // With its length, so that a reason is cut to fit.
    appendStringInfo(&sql, ", %s = k.error::%s", table.error.name,
                     format_type_extended(table.error.type, table.error.modifier,
                                          FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
  }
  appendStringInfoString(&sql, " FROM ");
  append_rows_from(&sql, table, more);
  appendStringInfoString(&sql, " AS k");
  append_key_names(&sql, table);
  appendStringInfo(&sql, ", value%s, n) WHERE ", more == 2 ? ", error" : "");
  append_key_condition(&sql, table);
  appendStringInfoString(&sql, " RETURNING k.n");
  return prepare_with_index(sql.data, table.key_count + more, types);
}

// A job of writing while it is carried out.
struct Write {
  const TableColumns* table;
  NullableElements keys;
  NullableElements url_digests;
  NullableElements values;  // texts, or bytes
  NullableElements errors;
  NullableElements written;
  const char* attachment;  // its id, which is in all its output URLs
  bool any_url;
  bool overwrite;
  ArrayArgument* outcomes;
  ArrayArgument* digests;
  int* chosen;  // the rows that are to be updated
  int chosen_count;
};

void note_outcome(Write* write, int i, const char* outcome) {
  write->outcomes->set(i, CStringGetTextDatum(outcome));
}

// Whether an output is what was last written there; or comes from another row of this attachment,
// because the key of the row has changed, or the application has copied it.
bool is_ours(const Write& write, int i, Datum output, Datum digest) {
  if (same_bytes(digest, false, write.written.values[i], write.written.nulls[i])) return true;
  if (strcmp(write.table->output_shape, "bytea") == 0) return false;
  return strstr(TextDatumGetCString(output), write.attachment) != nullptr;
}

// What becomes of a row that has been locked and read.
void decide(Write* write, uint64 row) {
  const int i = ordinal_of(row, 1);
  bool no_url = false;
  const Datum url = column_of(row, 2, &no_url);
  if (!write->any_url && !same_bytes(no_url ? url : digest_of(url), no_url,
                                     write->url_digests.values[i], write->url_digests.nulls[i])) {
    return;  // stays missed: it is to be read again
  }
  bool no_output = false;
  const Datum output = column_of(row, 3, &no_output);
  const Datum digest = no_output ? output : digest_of(output);
  const bool no_value = write->values.nulls[i];
  const Datum wanted = no_value ? (Datum)0 : digest_of(write->values.values[i]);
  const bool same_value = same_bytes(digest, no_output, wanted, no_value);
  const bool ours = no_output || is_ours(*write, i, output, digest);
  if (!ours && !same_value && !write->overwrite) return note_outcome(write, i, "kept");
  if (!no_value) write->digests->set(i, wanted);
  bool no_error = false;
  const Datum error = column_of(row, 4, &no_error);
  const bool same_error =
      write->table->error.name == nullptr ||
      same_bytes(error, no_error, write->errors.values[i], write->errors.nulls[i]);
  if (same_value && same_error) return note_outcome(write, i, "written");
  note_outcome(write, i, "refused");  // unless the UPDATE returns it
  write->chosen[write->chosen_count++] = i;
}

Datum chosen_of(const Write& write, const NullableElements& elements, Oid type) {
  ArrayArgument array(type, write.chosen_count);
  for (int c = 0; c < write.chosen_count; ++c) {
    const int i = write.chosen[c];
    if (!elements.nulls[i]) array.set(c, elements.values[i]);
  }
  return array.datum();
}

void update_chosen(Write* write) {
  Oid types[kMostParameters];
  Datum values[kMostParameters];
  const TableColumns& table = *write->table;
  key_arrays(table, write->keys, write->chosen, write->chosen_count, types, values);
  const bool bytes = strcmp(table.output_shape, "bytea") == 0;
  types[table.key_count] = bytes ? BYTEAARRAYOID : TEXTARRAYOID;
  values[table.key_count] = chosen_of(*write, write->values, bytes ? BYTEAOID : TEXTOID);
  types[table.key_count + 1] = TEXTARRAYOID;
  values[table.key_count + 1] = chosen_of(*write, write->errors, TEXTOID);
  execute(prepare_update(table, types), values, false);
  for (uint64 row = 0; row < SPI_processed; ++row) {
    note_outcome(write, write->chosen[ordinal_of(row, 1)], "written");
  }
}

}  // namespace

void read_keys(const Row& job, MemoryContext memory, ReadRows* rows) {
  const TableColumns* table = table_columns(job);
  const NullableElements keys = nullable_elements(job, "keys");
  Oid types[INDEX_MAX_KEYS];
  Datum values[INDEX_MAX_KEYS];
  key_arrays(*table, keys, nullptr, keys.count, types, values);
  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfoString(&sql, "SELECT ");
  append_list(&sql, *table, "t");
  appendStringInfo(&sql, ", k.n, t.%s::pg_catalog.text FROM ", table->url.name);
  append_rows_from(&sql, *table, 0);
  appendStringInfoString(&sql, " AS k");
  append_key_names(&sql, *table);
  appendStringInfo(&sql, ", n) JOIN %s AS t ON ", table->table);
  append_key_condition(&sql, *table);
  execute(prepare_with_index(sql.data, table->key_count, types), values, true);
  RowArrays read(keys.count);
  for (int i = 0; i < keys.count; ++i) read.found.set(i, BoolGetDatum(false));
  // A key may be equal and yet another text, 1.0 and 1.00: then it is the former one of the row.
  RowKeys row_keys(*table);
  for (uint64 row = 0; row < SPI_processed; ++row) {
    const int i = ordinal_of(row, table->key_count + 1);
    const char* asked = TextDatumGetCString(keys.values[i]);
    if (strcmp(row_keys.of(row), asked) == 0) read.set(i, row, table->key_count + 2);
  }
  row_keys.end();
  rows->count = keys.count;
  rows->keys = job.get("keys");
  read.store(memory, rows);
}

void scan_rows(const Row& job, MemoryContext memory, ReadRows* rows) {
  const TableColumns* table = table_columns(job);
  Oid types[INDEX_MAX_KEYS];
  Datum values[INDEX_MAX_KEYS];
  const int arguments = cursor_arguments(job, *table, types, values);
  execute(prepare_scan(job, *table, arguments, types), values, true);
  rows->count = static_cast<int>(SPI_processed);
  RowKeys row_keys(*table);
  ArrayArgument keys(TEXTOID, rows->count);
  RowArrays read(rows->count);
  const char* last = nullptr;
  for (int i = 0; i < rows->count; ++i) {
    CHECK_FOR_INTERRUPTS();
    last = row_keys.of(static_cast<uint64>(i));
    keys.set(i, CStringGetTextDatum(last));
    read.set(i, static_cast<uint64>(i), table->key_count + 1);
  }
  row_keys.end();
  read.store(memory, rows);
  const MemoryContext before = MemoryContextSwitchTo(memory);
  rows->keys = keys.datum();
  rows->cursor = last != nullptr ? cursor_at(*table, last) : (Datum)0;
  MemoryContextSwitchTo(before);
}

void write_rows(const Row& job, MemoryContext memory, WrittenRows* rows) {
  const TableColumns* table = table_columns(job);
  const bool bytes = strcmp(table->output_shape, "bytea") == 0;
  Write write{};
  write.table = table;
  write.keys = nullable_elements(job, "keys");
  write.url_digests = nullable_elements(job, "digests");
  write.values = nullable_elements(job, bytes ? "bytes" : "values");
  write.errors = nullable_elements(job, "errors");
  write.written = nullable_elements(job, "written");
  write.attachment = DatumGetCString(DirectFunctionCall1(uuid_out, job.get("attachment_id")));
  write.any_url = job.get_bool("any_url");
  write.overwrite = job.get_bool("overwrite") && !write.any_url;
  ArrayArgument outcomes(TEXTOID, write.keys.count);
  ArrayArgument digests(BYTEAOID, write.keys.count);
  write.outcomes = &outcomes;
  write.digests = &digests;
  write.chosen = static_cast<int*>(palloc(sizeof(int) * Max(write.keys.count, 1)));
  for (int i = 0; i < write.keys.count; ++i) note_outcome(&write, i, "missed");

  Oid types[INDEX_MAX_KEYS];
  Datum values[INDEX_MAX_KEYS];
  key_arrays(*table, write.keys, nullptr, write.keys.count, types, values);
  execute(prepare_lock(*table, types), values, false);
  for (uint64 row = 0; row < SPI_processed; ++row) decide(&write, row);
  if (write.chosen_count > 0) update_chosen(&write);
  const MemoryContext before = MemoryContextSwitchTo(memory);
  rows->outcomes = outcomes.datum();
  rows->digests = digests.datum();
  MemoryContextSwitchTo(before);
}

}  // namespace imgpress
