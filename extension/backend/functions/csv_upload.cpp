// The triggers of the view csv_upload: put the rows of a COPY together as CSV text again, and
// submit that text when the statement ends, so that one COPY is one request.
#include "core/input/csv/csv_headings.hpp"

#include "backend/bridge/boundary.hpp"

extern "C" {
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/rel.h"
}

namespace imgpress {
namespace {

constexpr int kColumns = 3;
constexpr const char* kColumnNames = "serial_number,product_name,input_image_urls\n";

// The rows of a statement that runs. Belongs to its (sub)transaction, so that nothing is left of a
// statement that fails.
struct Upload {
  Upload* outer;  // of the statement that has called a function with this one; usually nullptr
  MemoryContext context;
  StringInfoData csv;  // with room for the header of a datum in front
  // The first row is a product: COPY has dropped the header (HEADER), or there was none (INSERT).
  bool by_position;
};

Upload* running = nullptr;  // the innermost one

void forget_upload(void* arg) {
  for (Upload** link = &running; *link != nullptr; link = &(*link)->outer) {
    if (*link != arg) continue;
    *link = (*link)->outer;
    return;
  }
}

void begin_upload() {
  const MemoryContext context =
      AllocSetContextCreate(CurTransactionContext, "imgpress csv_upload", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext caller = MemoryContextSwitchTo(context);
  auto* upload = static_cast<Upload*>(palloc0(sizeof(Upload)));
  upload->context = context;
  initStringInfo(&upload->csv);
  appendStringInfoSpaces(&upload->csv, VARHDRSZ);
  auto* callback = static_cast<MemoryContextCallback*>(palloc0(sizeof(MemoryContextCallback)));
  callback->func = forget_upload;
  callback->arg = upload;
  MemoryContextRegisterResetCallback(context, callback);
  MemoryContextSwitchTo(caller);
  upload->outer = running;
  running = upload;
}

// A trigger function that is called at another event, or for another table, would read what is not
// there.
void check_trigger(FunctionCallInfo fcinfo, TriggerEvent event) {
  if (CALLED_AS_TRIGGER(fcinfo)) {
    const auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    const TupleDesc columns = RelationGetDescr(trigger->tg_relation);
    bool fits = (trigger->tg_event &
                 (TRIGGER_EVENT_OPMASK | TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK)) == event &&
                columns->natts == kColumns;
    for (int i = 0; fits && i < kColumns; ++i) {
      fits = TupleDescAttr(columns, i)->atttypid == TEXTOID;
    }
    if (fits) return;
  }
  ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                  errmsg("this function is for the triggers of the view imgpress.csv_upload")));
}

Upload* running_upload() {
  if (running == nullptr) elog(ERROR, "imgpress: the trigger that begins an upload has not run");
  return running;
}

bool is_product(const text* const* fields) {
  bool result = false;
  guard([&] {
    WorkMeter meter{check_interrupts};
    CsvFields record;
    for (int i = 0; i < kColumns; ++i) {
      record.emplace_back(VARDATA_ANY(fields[i]), VARSIZE_ANY_EXHDR(fields[i]));
    }
    result = looks_like_data(record, meter);
  });
  return result;
}

// Appends a field in quotation marks; those in the field are doubled.
void append_quoted(StringInfo csv, const text* field) {
  const char* at = VARDATA_ANY(field);
  const char* end = at + VARSIZE_ANY_EXHDR(field);
  appendStringInfoChar(csv, '"');
  while (at < end) {
    const auto* mark = static_cast<const char*>(memchr(at, '"', static_cast<size_t>(end - at)));
    const char* next = mark == nullptr ? end : mark + 1;
    appendBinaryStringInfo(csv, at, static_cast<int>(next - at));
    if (mark != nullptr) appendStringInfoChar(csv, '"');
    at = next;
  }
  appendStringInfoChar(csv, '"');
}

void append_row(Upload* upload, const text* const* fields) {
  if (upload->csv.len == VARHDRSZ && is_product(fields)) {
    upload->by_position = true;
    appendStringInfoString(&upload->csv, kColumnNames);
  }
  for (int i = 0; i < kColumns; ++i) {
    append_quoted(&upload->csv, fields[i]);
    appendStringInfoChar(&upload->csv, i + 1 < kColumns ? ',' : '\n');
  }
}

// The id of the new request, as text in the caller's memory context.
char* submit_csv(Datum csv) {
  const MemoryContext caller = CurrentMemoryContext;
  Oid type = TEXTOID;
  SPI_connect();
  SPIPlanPtr plan = SPI_prepare("SELECT imgpress.submit_csv($1)", 1, &type);
  if (plan == nullptr || SPI_execute_plan(plan, &csv, nullptr, false, 1) != SPI_OK_SELECT) {
    elog(ERROR, "imgpress: cannot submit the rows of the COPY");
  }
  char* id =
      MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
  SPI_finish();
  return id;
}

// Raises the caught error again. Faults of columns that were taken by position get a hint of their
// own.
void rethrow(MemoryContext caller, const Upload* upload) {
  MemoryContextSwitchTo(caller);
  ErrorData* error = CopyErrorData();
  FlushErrorState();
  if (upload->by_position && error->sqlerrcode == ERRCODE_BAD_COPY_FILE_FORMAT) {
    error->hint = pstrdup(
        "The first row is a product, so the columns were taken by position: serial number, product "
        "name, image URLs; and a header is counted as line 1. If the file has a header, leave out "
        "HEADER: then the columns are found by their names.");
  }
  ReThrowError(error);
}

char* submit(const Upload* upload) {
  const MemoryContext caller = CurrentMemoryContext;
  char* volatile id = nullptr;
  PG_TRY();
  { id = submit_csv(PointerGetDatum(upload->csv.data)); }
  PG_CATCH();
  { rethrow(caller, upload); }
  PG_END_TRY();
  return id;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_begin_csv_upload);
PG_FUNCTION_INFO_V1(imgpress_collect_csv_upload);
PG_FUNCTION_INFO_V1(imgpress_submit_csv_upload);
}

Datum imgpress_begin_csv_upload(PG_FUNCTION_ARGS) {
  check_trigger(fcinfo, TRIGGER_EVENT_INSERT | TRIGGER_EVENT_BEFORE);
  begin_upload();
  return PointerGetDatum(nullptr);
}

Datum imgpress_collect_csv_upload(PG_FUNCTION_ARGS) {
  check_trigger(fcinfo, TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW | TRIGGER_EVENT_INSTEAD);
  const auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
  const TupleDesc descriptor = RelationGetDescr(trigger->tg_relation);
  const text* fields[kColumns] = {};
  for (int i = 0; i < kColumns; ++i) {
    bool is_null = false;
    const Datum field = heap_getattr(trigger->tg_trigtuple, i + 1, descriptor, &is_null);
    fields[i] = is_null ? cstring_to_text("") : DatumGetTextPP(field);
  }
  append_row(running_upload(), fields);
  return PointerGetDatum(trigger->tg_trigtuple);
}

Datum imgpress_submit_csv_upload(PG_FUNCTION_ARGS) {
  check_trigger(fcinfo, TRIGGER_EVENT_INSERT | TRIGGER_EVENT_AFTER);
  Upload* upload = running_upload();
  SET_VARSIZE(upload->csv.data, upload->csv.len);
  const char* id = submit(upload);
  MemoryContextDelete(upload->context);
  ereport(NOTICE, (errmsg("imgpress request %s", id)));
  return PointerGetDatum(nullptr);
}
