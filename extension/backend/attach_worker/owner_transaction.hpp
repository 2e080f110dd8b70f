// Transactions as the owner of an attached table: the one place where imgpress's processes run
// foreign code, that is the table's triggers, policies, defaults, and the functions of its types.
#pragma once

#include "backend/worker/worker_transaction.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

struct Owner {
  const char* role;
  Oid relation;             // of this owner still, or nothing is done
  const char* search_path;  // as in the owner's sessions: triggers may rely on it
};

// Returns kNotInstalled without calling `body` if the table is gone or has another owner. A
// transaction that takes too long ends with an error; one that does not even end then ends the
// process.
CallEnd run_as_owner(const Owner& owner, Activity* activity, TransactionBody body, void* arg);

// Removes what foreign code may have left in the session: settings are reset by each transaction
// anyway, and PostgreSQL refuses LISTEN in such a process. Here go cursors, prepared statements,
// advisory locks, temporary tables, plans and sequences. Call it first in the next transaction.
void reset_session();

// Once, when the process starts.
void prepare_time_limits();

}  // namespace imgpress
