// error_codes(): the table of core/rules/fault.hpp for SQL.
#include "backend/bridge/row_sink.hpp"
#include "core/rules/fault.hpp"

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

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_error_codes);
}

Datum imgpress_error_codes(PG_FUNCTION_ARGS) {
  RowSink* rows = open_rows(fcinfo);
  for (const FaultRow& row : kFaults) {
    if (row.fault != Fault::kNone) store_code(rows, row.code);
  }
  store_code(rows, kCancelled);
  return (Datum)0;
}
