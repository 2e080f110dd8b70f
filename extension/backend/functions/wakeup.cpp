// Waking the drainer at commit, and waiting for the end of a request.
#include "backend/bridge/boundary.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "access/xlog.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/snapmgr.h"
}

namespace imgpress {
namespace {

// In 0.1.0 everybody sees all requests, and none is standing.
constexpr const char* kAny =
    "SELECT status, ended_at IS NOT NULL, xmin, false FROM imgpress.processing_requests "
    "WHERE id OPERATOR(pg_catalog.=) $1";
constexpr const char* kVisible =
    "SELECT status, ended_at IS NOT NULL, xmin, standing FROM imgpress.processing_requests "
    "WHERE id OPERATOR(pg_catalog.=) $1 AND imgpress_internal.may_see(submitted_by)";
constexpr const char* kProgress = "SELECT imgpress_internal.progress_in_words($1)";

constexpr long kNoticePauseMs = 5000;  // before the first notice about progress, and between two

struct RequestState {
  char* status;
  bool ended;
};

// Reads the newest committed state, with a new snapshot.
RequestState read_request(const pg_uuid_t* id, const char* statement) {
  Oid types[] = {UUIDOID};
  Datum values[] = {UUIDPGetDatum(id)};
  const MemoryContext caller = CurrentMemoryContext;
  SPI_connect();
  SPI_execute_with_args(statement, 1, types, values, nullptr, false, 1);
  if (SPI_processed == 0) {
    ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                    errmsg("request %s does not exist",
                           DatumGetCString(DirectFunctionCall1(uuid_out, values[0])))));
  }
  HeapTuple row = SPI_tuptable->vals[0];
  bool is_null = false;
  const Datum ended = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &is_null);
  const Datum xmin = SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &is_null);
  if (!DatumGetBool(ended) && TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin))) {
    ereport(
        ERROR,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         errmsg("the request was submitted in this same transaction, so no work on it has started"),
         errhint("COMMIT first, then wait.")));
  }
  if (DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 4, &is_null))) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("request %s belongs to an attached table, and never ends",
                           DatumGetCString(DirectFunctionCall1(uuid_out, values[0]))),
                    errhint("The view imgpress.attachments tells what is left to do.")));
  }
  char* status = SPI_getvalue(row, SPI_tuptable->tupdesc, 1);
  const RequestState result = {MemoryContextStrdup(caller, status), DatumGetBool(ended)};
  SPI_finish();
  return result;
}

// Milliseconds until `deadline`, rounded up; -1 for no limit.
long remaining_ms(TimestampTz deadline) {
  if (deadline == DT_NOEND) return -1;
  return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
}

// Without shared memory, and on a standby, nobody signals the end of a request: poll every second.
void sleep_until_change(SharedState* shared, long timeout_ms) {
  if (shared != nullptr && !RecoveryInProgress()) {
    ConditionVariableTimedSleep(&shared->request_ended, timeout_ms, PG_WAIT_EXTENSION);
    return;
  }
  const long nap = timeout_ms < 0 ? 1000 : Min(timeout_ms, 1000L);
  WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, nap, PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

// What was said last about the progress of a request, and when it is told next.
struct Progress {
  TimestampTz next;
  char* told;
};

TimestampTz next_notice() {
  return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kNoticePauseMs);
}

void tell_progress(const pg_uuid_t* id, Progress* progress) {
  if (GetCurrentTimestamp() < progress->next) return;
  progress->next = next_notice();
  Oid types[] = {UUIDOID};
  Datum values[] = {UUIDPGetDatum(id)};
  const MemoryContext caller = CurrentMemoryContext;
  SPI_connect();
  SPI_execute_with_args(kProgress, 1, types, values, nullptr, false, 1);
  char* words = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
  words = words != nullptr ? MemoryContextStrdup(caller, words) : nullptr;
  SPI_finish();
  if (words == nullptr || (progress->told != nullptr && strcmp(words, progress->told) == 0)) return;
  progress->told = words;
  ereport(NOTICE, (errmsg_internal("%s", words)));
}

char* wait_until_ended(const pg_uuid_t* id, const char* statement, TimestampTz deadline) {
  SharedState* shared = shared_state();
  const bool talks = statement == kVisible && message_level_is_interesting(NOTICE);
  Progress progress = {talks ? next_notice() : DT_NOEND, nullptr};
  for (;;) {
    if (shared != nullptr) ConditionVariablePrepareToSleep(&shared->request_ended);
    const RequestState request = read_request(id, statement);
    const long timeout_ms = remaining_ms(deadline);
    if (request.ended || timeout_ms == 0) {
      ConditionVariableCancelSleep();
      return request.status;
    }
    tell_progress(id, &progress);
    sleep_until_change(shared, remaining_ms(Min(deadline, progress.next)));
  }
}

Datum wait_for(FunctionCallInfo fcinfo, const char* statement) {
  if (PG_ARGISNULL(0)) {
    ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("request NULL does not exist")));
  }
  if (IsolationUsesXactSnapshot()) {
    ereport(ERROR,
            (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
             errmsg("wait() cannot see the request change at this transaction isolation level"),
             errhint("Call it in a READ COMMITTED transaction.")));
  }
  TimestampTz deadline = DT_NOEND;
  if (!PG_ARGISNULL(1)) {
    deadline = DatumGetTimestampTz(DirectFunctionCall2(
        timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
  }
  PG_RETURN_TEXT_P(cstring_to_text(wait_until_ended(PG_GETARG_UUID_P(0), statement, deadline)));
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_wake_drainer);
PG_FUNCTION_INFO_V1(imgpress_wake_drainer_trigger);
PG_FUNCTION_INFO_V1(imgpress_wake_attachments);
PG_FUNCTION_INFO_V1(imgpress_wait);
PG_FUNCTION_INFO_V1(imgpress_wait_for);
}

Datum imgpress_wake_drainer(PG_FUNCTION_ARGS) {
  wake_when_committed();
  PG_RETURN_VOID();
}

Datum imgpress_wake_attachments(PG_FUNCTION_ARGS) {
  wake_attachments_when_committed();
  PG_RETURN_VOID();
}

Datum imgpress_wake_drainer_trigger(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "wake_drainer_trigger() is a trigger function");
  wake_when_committed();
  PG_RETURN_POINTER(nullptr);
}

Datum imgpress_wait(PG_FUNCTION_ARGS) {  // 0.1.0
  return wait_for(fcinfo, kAny);
}

Datum imgpress_wait_for(PG_FUNCTION_ARGS) {
  return wait_for(fcinfo, kVisible);
}
