// Short transactions of a background worker, under the role imgpress_worker.
//
// The worker has to connect as the bootstrap superuser: before PostgreSQL 17 no other role can that
// may not log in. Whoever owns the database, or a trigger, would like to have code of theirs run in
// such a session. So a transaction has the role's rights from its first statement until its commit
// is over, and settings that are the same each time.
#pragma once

#include "drain/queue.hpp"

namespace imgpress {

using TransactionBody = void (*)(void* arg);

// Settings on which the meaning or the success of our statements depends get values that neither
// the owner of the database nor postgresql.conf changes. To be called once, before any transaction.
void pin_settings();

// Runs `body` inside a transaction with SPI connected; it may ereport, but no C++ exception may
// leave it. `activity` is shown in pg_stat_activity. Never kUnknown: the answer to a COMMIT can't
// get lost.
CallEnd run_transaction(const char* activity, TransactionBody body, void* arg);

}  // namespace imgpress
