// error_codes() and error_hint(): the table of core/rules/fault.hpp for SQL.
#include "core/rules/fault.hpp"

#include "backend/bridge/row_sink.hpp"
#include "backend/error_hint.hpp"

namespace imgpress {
namespace {

Datum text_or_null(const char* text, bool* is_null) {
  *is_null = text == nullptr;
  return *is_null ? (Datum)0 : CStringGetTextDatum(text);
}

void store_code(RowSink* rows, const ErrorCode& code) {
  bool nulls[4] = {};
  nulls[2] = code.transient == Transient::kDependsOnStatus;
  Datum values[4] = {CStringGetTextDatum(code.name), text_or_null(code.sqlstate, &nulls[1]),
                     BoolGetDatum(code.transient == Transient::kYes),
                     text_or_null(code.hint, &nulls[3])};
  tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}

// nullptr if there is no such code.
const ErrorCode* find_code(const char* name) {
  for (const FaultRow& row : kFaults) {
    if (row.fault != Fault::kNone && strcmp(row.code.name, name) == 0) return &row.code;
  }
  return strcmp(kCancelled.name, name) == 0 ? &kCancelled : nullptr;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_error_codes);
PG_FUNCTION_INFO_V1(imgpress_error_hint);
}

Datum imgpress_error_codes(PG_FUNCTION_ARGS) {
  RowSink* rows = open_rows(fcinfo);
  for (const FaultRow& row : kFaults) {
    if (row.fault != Fault::kNone) store_code(rows, row.code);
  }
  store_code(rows, kCancelled);
  return (Datum)0;
}

Datum imgpress_error_hint(PG_FUNCTION_ARGS) {
  const char* message = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
  const char* name = PG_ARGISNULL(1) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(1));
  const char* hint = error_hint(name != nullptr ? find_code(name) : nullptr, message);
  if (hint == nullptr) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(cstring_to_text(hint));
}
