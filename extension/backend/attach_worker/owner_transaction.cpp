#include "backend/attach_worker/owner_transaction.hpp"

#include <csignal>

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/portal.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
}

namespace imgpress {
namespace {

constexpr int kTransactionMs = 30 * 1000;
// Code that catches the error of a time limit, and goes on, is stopped by this one.
constexpr int kProcessMs = kTransactionMs + 10 * 1000;

TimeoutId process_limit = STATEMENT_TIMEOUT;  // until it has been registered

void end_process() {
  kill(MyProcPid, SIGTERM);
}

Oid owner_of(Oid relation) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

// Only catalogue look-ups and a lock come before the switch: nobody's code runs. With the lock the
// table cannot be dropped, altered or given to somebody else any more.
const char* become_owner(void* arg) {
  const auto* owner = static_cast<const Owner*>(arg);
  constexpr const char* kChanged = "the table has changed";
  const Oid role = get_role_oid(owner->role, true);
  if (!OidIsValid(role) || owner_of(owner->relation) != role) return kChanged;
  SetConfigOption("search_path", owner->search_path, PGC_USERSET, PGC_S_SESSION);
  // Below deadlock_timeout: it gives way to the application.
  SetConfigOption("lock_timeout", "200ms", PGC_SUSET, PGC_S_SESSION);
  become(role);
  LockRelationOid(owner->relation, RowExclusiveLock);
  return owner_of(owner->relation) == role ? nullptr : kChanged;
}

}  // namespace

void prepare_time_limits() {
  process_limit = RegisterTimeout(USER_TIMEOUT, end_process);
}

CallEnd run_as_owner(const Owner& owner, Activity* activity, TransactionBody body, void* arg) {
  enable_timeout_after(STATEMENT_TIMEOUT, kTransactionMs);
  enable_timeout_after(process_limit, kProcessMs);
  const CallEnd end =
      run_transaction_as(become_owner, const_cast<Owner*>(&owner), activity, body, arg);
  disable_timeout(STATEMENT_TIMEOUT, false);
  disable_timeout(process_limit, false);
  QueryCancelPending = false;
  return end;
}

void reset_session() {
  PortalHashTableDeleteAll();
  DropAllPreparedStatements();
  LockReleaseAll(USER_LOCKMETHOD, true);
  ResetTempTableNamespace();
  ResetPlanCache();
  ResetSequenceCaches();
  CommandCounterIncrement();
}

}  // namespace imgpress
