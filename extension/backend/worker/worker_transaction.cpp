#include "backend/worker/worker_transaction.hpp"

#include <csignal>

#include "backend/worker/shared_state.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "mb/pg_wchar.h"
#include "utils/snapmgr.h"
}

namespace imgpress {
namespace {

volatile sig_atomic_t sigterm_came = false;

constexpr const char* kRole = "imgpress_worker";

const Activity* failing = nullptr;  // the last one that failed and has not succeeded since

void set_error(Activity* activity, const char* text) {
  const auto space = static_cast<int>(sizeof(activity->error)) - 1;
  const int length = pg_mbcliplen(text, static_cast<int>(strlen(text)), space);
  memcpy(activity->error, text, static_cast<size_t>(length));
  activity->error[length] = '\0';
}

// Holds off DROP EXTENSION until the transaction ends. Locks in the same order as DROP EXTENSION
// does, the extension before its tables, so that the two cannot deadlock. Returns what is missing,
// or nullptr.
const char* lock_extension() {
  const Oid extension = get_extension_oid("imgpress", true);
  constexpr const char* kCreate = "run CREATE EXTENSION imgpress in it";
  if (!OidIsValid(extension)) return kCreate;
  LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
  if (get_extension_oid("imgpress", true) != extension) return kCreate;
  if (OidIsValid(get_namespace_oid("imgpress_internal", true))) return nullptr;  // 0.1.0 has none
  return "it has an earlier version: run ALTER EXTENSION imgpress UPDATE in it";
}

// Switches the transaction that has just begun to imgpress_worker. Returns what is missing, if the
// role or the extension does not exist. Only catalogue look-ups come before the switch: nobody's
// code runs.
const char* become_worker(void*) {
  const Oid role = get_role_oid(kRole, true);
  if (!OidIsValid(role)) return kNoWorkerRole;
  if (superuser_arg(role)) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("role %s is a superuser, and the worker refuses to work as one: run "
                           "ALTER ROLE %s NOSUPERUSER",
                           kRole, kRole)));
  }
  become(role);
  return lock_extension();
}

void run_body(TransactionBody body, void* arg) {
  SPI_connect();
  body(arg);
  SPI_finish();
}

CallEnd end_after(int sqlstate) {
  switch (sqlstate) {
    case ERRCODE_LOCK_NOT_AVAILABLE:
    case ERRCODE_T_R_DEADLOCK_DETECTED:
      return CallEnd::kBlocked;
    default:
      return CallEnd::kFailed;
  }
}

// Aborts the transaction, and logs its error if the same has not been logged before.
CallEnd recover(Activity* activity, MemoryContext caller) {
  HOLD_INTERRUPTS();
  error_context_stack = nullptr;
  MemoryContextSwitchTo(caller);
  ErrorData* error = CopyErrorData();
  const CallEnd end = end_after(error->sqlerrcode);
  AbortCurrentTransaction();
  MemoryContextSwitchTo(caller);
  FlushErrorState();
  char before[sizeof(activity->error)];
  strlcpy(before, activity->error, sizeof(before));
  set_error(activity, error->message);
  activity->sqlstate = error->sqlerrcode;
  if (strcmp(before, activity->error) != 0) {
    error->elevel = WARNING;
    error->context = psprintf("%s%simgpress worker of database \"%s\", %s",
                              error->context != nullptr ? error->context : "",
                              error->context != nullptr ? "\n" : "", MyBgworkerEntry->bgw_extra,
                              activity->description);
    ThrowErrorData(error);
  }
  failing = activity;
  RESUME_INTERRUPTS();
  return end;
}

}  // namespace

void become(Oid role) {
  // Like SET ROLE for the rest of the session, so that the time between two transactions has no
  // more rights either.
  SetCurrentRoleId(role, superuser_arg(role));
  SetUserIdAndSecContext(role, SECURITY_LOCAL_USERID_CHANGE);
}

void end_at_sigterm(SIGNAL_ARGS) {
  sigterm_came = true;
  if (IsTransactionState()) {
    die(postgres_signal_arg);
  } else {
    SignalHandlerForShutdownRequest(postgres_signal_arg);
  }
}

bool got_sigterm() {
  return sigterm_came;
}

void pin_settings() {
  const struct {
    const char* name;
    const char* value;
  } pins[] = {
      // Name resolution, row visibility, triggers.
      {"search_path", "pg_catalog, pg_temp"},
      {"row_security", "on"},
      {"session_replication_role", "origin"},
      // Parsing of statements.
      {"standard_conforming_strings", "on"},
      {"transform_null_equals", "off"},
      {"array_nulls", "on"},
      // Settings that could make transactions fail, or end the process.
      {"default_transaction_read_only", "off"},
      {"default_transaction_isolation", "read committed"},
      {"default_transaction_deferrable", "off"},
      {"statement_timeout", "0"},
      {"lock_timeout", "1s"},
      {"transaction_timeout", "0"},
      {"idle_in_transaction_session_timeout", "0"},
      {"exit_on_error", "off"},
      // sql/functions/85_plans.sql relies on these. One process is enough for such statements.
      {"enable_indexscan", "on"},
      {"enable_nestloop", "on"},
      {"max_parallel_workers_per_gather", "0"},
  };
  for (const auto& pin : pins) {
    // Some settings are new in later versions.
    if (GetConfigOption(pin.name, true, false) == nullptr) continue;
    // A value of this source is what RESET restores, and it outranks settings of the database, of
    // roles and of files.
    SetConfigOption(pin.name, pin.value, PGC_SUSET, PGC_S_OVERRIDE);
  }
}

const char* repeated_error() {
  return failing != nullptr ? failing->error : "";
}

CallEnd run_transaction(Activity* activity, TransactionBody body, void* arg) {
  return run_transaction_as(become_worker, nullptr, activity, body, arg);
}

CallEnd run_transaction_as(Identity identity, void* who, Activity* activity, TransactionBody body,
                           void* arg) {
  const MemoryContext caller = CurrentMemoryContext;
  volatile CallEnd end = CallEnd::kFailed;
  PG_TRY();
  {
    SetCurrentStatementStartTimestamp();
    pgstat_report_activity(STATE_RUNNING, activity->description);
    ResetAllOptions();  // to what pin_settings() has set, whatever an earlier statement SET
    StartTransactionCommand();
    // From here on SIGTERM ends the transaction; see the worker's signal handler.
    if (ShutdownRequestPending) proc_exit(0);
    PushActiveSnapshot(GetTransactionSnapshot());
    const char* missing = identity(who);
    if (missing == nullptr) {
      run_body(body, arg);
    } else {
      set_error(activity, missing);
    }
    end = missing == nullptr ? CallEnd::kCommitted : CallEnd::kNotInstalled;
    PopActiveSnapshot();
    // Deferred triggers and held cursors run here, so the role is switched back only afterwards.
    CommitTransactionCommand();
  }
  PG_CATCH();
  { end = recover(activity, caller); }
  PG_END_TRY();
  if (end == CallEnd::kCommitted) activity->error[0] = '\0';
  const bool refused = end == CallEnd::kFailed || end == CallEnd::kBlocked;
  if (!refused && failing == activity) failing = nullptr;
  SetUserIdAndSecContext(GetOuterUserId(), 0);
  MemoryContextSwitchTo(caller);
  pgstat_report_stat(true);  // otherwise autovacuum never learns of these changes
  pgstat_report_activity(STATE_IDLE, activity->description);
  return end;
}

}  // namespace imgpress
