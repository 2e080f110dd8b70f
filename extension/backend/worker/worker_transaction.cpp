#include "backend/worker/worker_transaction.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
}

namespace imgpress {
namespace {

constexpr const char* kRole = "imgpress_worker";

// Holds off DROP EXTENSION until the transaction ends. DROP EXTENSION locks the extension before
// its tables; who does likewise cannot deadlock with it.
bool lock_extension() {
  const Oid extension = get_extension_oid("imgpress", true);
  if (!OidIsValid(extension)) return false;
  LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
  return get_extension_oid("imgpress", true) == extension;
}

// Returns false where there is nothing to work on.
bool run_body(TransactionBody body, void* arg) {
  const Oid role = get_role_oid(kRole, true);
  if (!OidIsValid(role) || !lock_extension()) return false;
  Oid saved_user = InvalidOid;
  int saved_context = 0;
  GetUserIdAndSecContext(&saved_user, &saved_context);
  SetUserIdAndSecContext(role, saved_context | SECURITY_LOCAL_USERID_CHANGE);
  SPI_connect();
  body(arg);
  SPI_finish();
  SetUserIdAndSecContext(saved_user, saved_context);
  return true;
}

void recover() {
  HOLD_INTERRUPTS();
  error_context_stack = nullptr;
  EmitErrorReport();
  AbortCurrentTransaction();
  MemoryContextSwitchTo(TopMemoryContext);
  FlushErrorState();
  RESUME_INTERRUPTS();
}

}  // namespace

CallEnd run_transaction(const char* activity, TransactionBody body, void* arg) {
  const MemoryContext caller = CurrentMemoryContext;
  volatile CallEnd end = CallEnd::kFailed;
  PG_TRY();
  {
    SetCurrentStatementStartTimestamp();
    pgstat_report_activity(STATE_RUNNING, activity);
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    end = run_body(body, arg) ? CallEnd::kCommitted : CallEnd::kNotInstalled;
    PopActiveSnapshot();
    CommitTransactionCommand();
  }
  PG_CATCH();
  {
    recover();
    end = CallEnd::kFailed;
  }
  PG_END_TRY();
  MemoryContextSwitchTo(caller);
  pgstat_report_stat(true);  // or autovacuum never sees what happens here
  pgstat_report_activity(STATE_IDLE, activity);
  return end;
}

}  // namespace imgpress
