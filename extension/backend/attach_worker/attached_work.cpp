#include "backend/attach_worker/attached_work.hpp"

#include "backend/attach_worker/attached_table.hpp"
#include "backend/attach_worker/owner_transaction.hpp"
#include "backend/bridge/sql_values.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "executor/spi.h"
#include "utils/lsyscache.h"
}

namespace imgpress {
namespace {

Activity finding{"looking for work on attached tables"};
Activity recording{"recording work on an attached table"};

enum class Kind { kRead, kScan, kWrite };

// A job with what came of it. Lives in a memory context of its own: values cross the switch of the
// user as plain memory.
struct Job {
  MemoryContext memory;
  bool found;
  HeapTuple tuple;
  TupleDesc descriptor;
  Kind kind;
  Owner owner;
  pg_uuid_t attachment;
  ReadRows read;
  WrittenRows written;
  const char* trouble;  // the error of the owner's transaction; nullptr: none
  bool locked;
  bool slow;

  Row row() const { return {tuple, descriptor}; }
};

template <int N>
void call(const char* sql, const Argument (&arguments)[N]) {
  static_assert(N <= SpiArguments::kMost);
  SpiArguments spi(arguments, N);
  const int result = SPI_execute_with_args(sql, N, spi.types, spi.values, spi.nulls, false, 0);
  if (result < 0) elog(ERROR, "cannot execute \"%s\": %s", sql, SPI_result_code_string(result));
}

// A field of the job as an argument.
Argument field(const Job& job, const char* name, Oid type) {
  Argument argument{type, (Datum)0, false};
  argument.value = job.row().get(name, &argument.is_null);
  return argument;
}

Argument text_argument(const char* text) {
  return {TEXTOID, text != nullptr ? CStringGetTextDatum(text) : (Datum)0, text == nullptr};
}

bool has(const Job& job, const char* name) {
  bool is_null = false;
  job.row().get(name, &is_null);
  return !is_null;
}

Kind kind_of(const char* word) {
  if (strcmp(word, "read") == 0) return Kind::kRead;
  return strcmp(word, "scan") == 0 ? Kind::kScan : Kind::kWrite;
}

void find_job(void* arg) {
  auto* job = static_cast<Job*>(arg);
  SPI_execute("SELECT * FROM imgpress_internal.next_attached_job()", false, 0);
  bool is_null = false;
  Row::of_result(0).get("kind", &is_null);
  if (is_null) return;
  const MemoryContext before = MemoryContextSwitchTo(job->memory);
  job->tuple = heap_copytuple(SPI_tuptable->vals[0]);
  job->descriptor = CreateTupleDescCopy(SPI_tuptable->tupdesc);
  const Row row = job->row();
  job->kind = kind_of(row.get_text("kind"));
  job->attachment = *row.get_uuid("attachment_id");
  job->owner = {pstrdup(NameStr(*DatumGetName(row.get("owner")))),
                DatumGetObjectId(row.get("relation")), row.get_text("search_path")};
  job->found = true;
  MemoryContextSwitchTo(before);
}

void work_as_owner(void* arg) {
  auto* job = static_cast<Job*>(arg);
  switch (job->kind) {
    case Kind::kRead:
      return read_keys(job->row(), job->memory, &job->read);
    case Kind::kScan:
      return scan_rows(job->row(), job->memory, &job->read);
    case Kind::kWrite:
      return write_rows(job->row(), job->memory, &job->written);
  }
}

void record_read(Job* job, Datum attachment) {
  const bool scans = job->kind == Kind::kScan;
  const ReadRows& read = job->read;
  call("SELECT imgpress_internal.take_rows($1, $2, $3, $4, $5, $6, $7, $8)",
       {{UUIDOID, attachment},
        {TEXTARRAYOID, read.keys},
        {BOOLARRAYOID, read.found},
        {TEXTARRAYOID, read.urls},
        {BYTEAARRAYOID, read.digests},
        field(*job, "url_shape", TEXTOID),
        field(*job, "output_shape", TEXTOID),
        scans ? field(*job, "scan", TEXTOID) : text_argument(nullptr)});
  if (has(*job, "queue_places")) {
    call("SELECT imgpress_internal.forget_keys($1, $2)",
         {field(*job, "queue_places", TEXTARRAYOID), field(*job, "queue_xmins", TEXTARRAYOID)});
    return;
  }
  const bool at_end = scans && read.count < job->row().get_int4("scan_limit");
  const Elements keys = scans ? Elements{nullptr, 0} : array_elements(job->row(), "keys");
  call("SELECT imgpress_internal.advance_scan($1, $2, $3, $4, $5, $6)",
       {{UUIDOID, attachment},
        field(*job, "scan_started_at", TIMESTAMPTZOID),
        {TEXTARRAYOID, read.cursor, read.cursor == (Datum)0},
        {INT4OID, Int32GetDatum(scans ? read.count : 0)},
        {BOOLOID, BoolGetDatum(at_end)},
        {TEXTOID, scans ? (Datum)0 : keys.values[keys.count - 1], scans}});
}

void record_trouble(Job* job, Datum attachment) {
  // Only a write is tried with fewer rows at once.
  const Argument none{TEXTARRAYOID, (Datum)0, true};
  call("SELECT imgpress_internal.note_trouble($1, $2, $3, $4, $5, $6)",
       {{UUIDOID, attachment},
        text_argument(job->trouble),
        {BOOLOID, BoolGetDatum(job->locked)},
        {BOOLOID, BoolGetDatum(job->slow)},
        job->kind == Kind::kWrite ? field(*job, "keys", TEXTARRAYOID) : none,
        field(*job, "ends", INT8ARRAYOID)});
}

void record(void* arg) {
  auto* job = static_cast<Job*>(arg);
  reset_session();
  const Datum attachment = UUIDPGetDatum(&job->attachment);
  if (job->trouble != nullptr) {
    record_trouble(job, attachment);
  } else if (job->kind == Kind::kWrite) {
    call("SELECT imgpress_internal.record_writes($1, $2, $3, $4, $5, $6, $7)",
         {{UUIDOID, attachment},
          field(*job, "keys", TEXTARRAYOID),
          {TEXTARRAYOID, job->written.outcomes},
          {BYTEAARRAYOID, job->written.digests},
          field(*job, "finals", TEXTARRAYOID),
          field(*job, "errors", TEXTARRAYOID),
          field(*job, "ends", INT8ARRAYOID)});
  } else {
    record_read(job, attachment);
  }
}

// So that a process that is ended by what it runs leaves a trace.
void note_suspect(const pg_uuid_t* attachment) {
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  AttachmentsSlot* slot = find_attachments(shared, MyDatabaseId);
  if (slot != nullptr) {
    slot->has_suspect = attachment != nullptr;
    if (attachment != nullptr) slot->suspect = *attachment;
  }
  LWLockRelease(shared->lock);
}

const char* activity_of(Kind kind) {
  switch (kind) {
    case Kind::kRead:
      return "reading changed rows of an attached table";
    case Kind::kScan:
      return "scanning an attached table";
    case Kind::kWrite:
      break;
  }
  return "writing outputs into an attached table";
}

CallEnd carry_out(Job* job) {
  static Activity as_owner{"working on an attached table"};
  as_owner.description = activity_of(job->kind);
  note_suspect(&job->attachment);
  const CallEnd end = run_as_owner(job->owner, &as_owner, work_as_owner, job);
  note_suspect(nullptr);
  if (end != CallEnd::kCommitted) {
    job->trouble = as_owner.error;
    // What is missing then is the table as it was: the next job finds out what it is now.
    job->locked = end != CallEnd::kFailed;
    job->slow = as_owner.sqlstate == ERRCODE_QUERY_CANCELED && end == CallEnd::kFailed;
  }
  const CallEnd recorded = run_transaction(&recording, record, job);
  if (recorded != CallEnd::kBlocked && recorded != CallEnd::kFailed) return recorded;
  // Perhaps somebody's transaction holds the request: this table waits, and no other one does.
  job->trouble = pstrdup(recording.error);
  job->locked = recorded == CallEnd::kBlocked;
  job->slow = false;
  return run_transaction(&recording, record, job);
}

struct DueIn {
  const char* sql;
  long ms;  // -1: never
};

void read_due(void* arg) {
  auto* due = static_cast<DueIn*>(arg);
  SPI_execute(due->sql, false, 0);
  bool is_null = false;
  const Datum value = Row::of_result(0).get("due", &is_null);
  due->ms = is_null ? -1 : static_cast<long>(DatumGetInt64(value));
}

void record_blame(void* arg) {
  call("SELECT imgpress_internal.note_trouble($1, $2, false, true, '{}', '{}')",
       {{UUIDOID, UUIDPGetDatum(static_cast<const pg_uuid_t*>(arg))},
        text_argument("the process of the attached tables ended while it ran code of this table, "
                      "perhaps a trigger")});
}

}  // namespace

const char* attached_work_error() {
  return recording.error[0] != '\0' ? recording.error : finding.error;
}

WorkEnd do_attached_work() {
  static MemoryContext memory =
      AllocSetContextCreate(TopMemoryContext, "imgpress attached work", ALLOCSET_DEFAULT_SIZES);
  MemoryContextReset(memory);
  Job job{};
  job.memory = memory;
  CallEnd end = run_transaction(&finding, find_job, &job);
  if (end == CallEnd::kCommitted && job.found) end = carry_out(&job);
  if (end == CallEnd::kNotInstalled) return WorkEnd::kNotInstalled;
  if (end != CallEnd::kCommitted) return WorkEnd::kFailed;
  return job.found ? WorkEnd::kDone : WorkEnd::kNothing;
}

long attached_work_due_ms() {
  static Activity looking{"looking for work on attached tables"};
  DueIn due{"SELECT imgpress_internal.attachments_due_in_ms() AS due", 0};
  return run_transaction(&looking, read_due, &due) == CallEnd::kCommitted ? due.ms : -1;
}

void blame_attachment(const pg_uuid_t* attachment) {
  static Activity blaming{"recording work on an attached table"};
  run_transaction(&blaming, record_blame, const_cast<pg_uuid_t*>(attachment));
}

bool attached_tables_have_work() {
  static Activity looking{"looking after attached tables"};
  DueIn due{"SELECT imgpress_internal.look_after_attachments() AS due", -1};
  return run_transaction(&looking, read_due, &due) == CallEnd::kCommitted && due.ms >= 0;
}

}  // namespace imgpress
