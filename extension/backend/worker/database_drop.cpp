#include "backend/worker/database_drop.hpp"

#include <csignal>

#include "backend/bridge/postgres_api.hpp"
#include "backend/worker/extension_drop.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "nodes/parsenodes.h"
#include "utils/resowner.h"
#include "tcop/utility.h"
}

namespace imgpress {
namespace {

ProcessUtility_hook_type previous_hook = nullptr;

// The launcher starts no worker for the database until the transaction has ended, or this long if
// the backend that runs the command is killed.
constexpr long kQuietMs = 60L * 1000;
constexpr long kPatienceMs = 5L * 1000;

// The value of an option of a statement; nullptr if it is not given.
const char* option_value(List* options, const char* name) {
  ListCell* cell = nullptr;
  foreach (cell, options) {
    auto* option = static_cast<DefElem*>(lfirst(cell));
    if (strcmp(option->defname, name) == 0 && option->arg != nullptr) return defGetString(option);
  }
  return nullptr;
}

// The database that must have no sessions for this statement; nullptr if there is none.
const char* database_to_be_freed(const Node* statement) {
  if (IsA(statement, DropdbStmt)) {
    return reinterpret_cast<const DropdbStmt*>(statement)->dbname;
  }
  if (IsA(statement, RenameStmt)) {
    const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
    return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
  }
  if (IsA(statement, AlterDatabaseStmt)) {  // SET TABLESPACE
    const auto* alter = reinterpret_cast<const AlterDatabaseStmt*>(statement);
    return option_value(alter->options, "tablespace") != nullptr ? alter->dbname : nullptr;
  }
  if (IsA(statement, CreatedbStmt)) {  // TEMPLATE
    return option_value(reinterpret_cast<const CreatedbStmt*>(statement)->options, "template");
  }
  return nullptr;
}

// Tells the workers of a database to end. Returns false once none is left.
bool send_drainer_away(SharedState* shared, Oid database, const char* name) {
  bool present = false;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  namestrcpy(&shared->quiet_database, name);
  shared->quiet_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kQuietMs);
  for (const DrainerSlot& slot : shared->drainers) {
    if (slot.database != database) continue;
    present = true;
    kill(slot.pid, SIGTERM);
  }
  const AttachmentsSlot* attachments = find_attachments(shared, database);
  if (attachments != nullptr) {
    present = true;
    kill(attachments->pid, SIGTERM);
  }
  LWLockRelease(shared->lock);
  return present;
}

// What this transaction has to do at its end.
bool must_end_quiet = false;
bool must_wake_launcher = false;

// Runs at the end of a transaction, when it has given up its lock of the database: before, a new
// worker could not connect.
void at_release(ResourceReleasePhase phase, bool, bool is_top_level, void*) {
  if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || !must_wake_launcher) return;
  if (must_end_quiet) {
    SharedState* shared = shared_state();
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    shared->quiet_until = 0;
    LWLockRelease(shared->lock);
  }
  must_end_quiet = false;
  must_wake_launcher = false;
  wake_launcher_now();
}

// Ends the worker of a database and waits for that, unless the user does not own the database.
// Workers announce their end by the condition variable that also announces the end of requests.
void free_database(SharedState* shared, const char* name) {
  const Oid database = get_database_oid(name, true);
  if (!OidIsValid(database) || !compat::owns_database(database)) return;
  if (database == MyDatabaseId) return;  // PostgreSQL refuses the command
  must_end_quiet = true;
  const TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kPatienceMs);
  ConditionVariablePrepareToSleep(&shared->request_ended);
  while (send_drainer_away(shared, database, name)) {
    const long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
    if (left <= 0) break;  // the command itself will name the sessions that are left
    ConditionVariableTimedSleep(&shared->request_ended, left, PG_WAIT_EXTENSION);
  }
  ConditionVariableCancelSleep();
}

// After such a statement a database may exist that the launcher could not find, or could not
// connect to, or the worker's role.
bool may_help_the_launcher(const Node* statement) {
  return IsA(statement, CreatedbStmt) || IsA(statement, DropdbStmt) ||
         IsA(statement, AlterDatabaseStmt) || IsA(statement, CreateRoleStmt) ||
         IsA(statement, RenameStmt);  // of a table as well, which does no harm
}

// The worker's database loses the extension: the worker looks at once, not at its next turn.
bool drops_extension(const Node* statement) {
  return IsA(statement, DropStmt) &&
         reinterpret_cast<const DropStmt*>(statement)->removeType == OBJECT_EXTENSION;
}

void process_utility(PlannedStmt* statement, const char* query, bool read_only_tree,
                     ProcessUtilityContext context, ParamListInfo parameters,
                     QueryEnvironment* environment, DestReceiver* receiver,
                     QueryCompletion* completion) {
  const Node* what = statement->utilityStmt;
  if (shared_state() != nullptr) {
    must_wake_launcher = must_wake_launcher || may_help_the_launcher(what);
    const char* database = database_to_be_freed(what);
    if (database != nullptr) free_database(shared_state(), database);
  }
  if (drops_extension(what)) wake_when_committed();
  tell_what_goes_with_extension(what);
  const auto next = previous_hook != nullptr ? previous_hook : standard_ProcessUtility;
  next(statement, query, read_only_tree, context, parameters, environment, receiver, completion);
}

}  // namespace

void install_database_drop_hook() {
  previous_hook = ProcessUtility_hook;
  ProcessUtility_hook = process_utility;
  RegisterResourceReleaseCallback(at_release, nullptr);
}

}  // namespace imgpress
