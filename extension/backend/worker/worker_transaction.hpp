// Short transactions of a background worker, under the role imgpress_worker.
//
// The worker has to connect as the bootstrap superuser: before PostgreSQL 17 a background worker
// cannot connect as a role without LOGIN. A database owner, or the owner of a trigger, must not get
// code of theirs run with a superuser's rights. So each transaction runs as imgpress_worker from
// its first statement until its commit is complete, with settings that nobody else can change.
#pragma once

#include "drain/queue.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

using TransactionBody = void (*)(void* arg);

// Fixes the settings that the worker's statements depend on, so that neither the database owner nor
// postgresql.conf can change them. Call once, before any transaction.
void pin_settings();

// The handler of SIGTERM: ends the process at once, within a transaction by an error, between two
// without a word.
void end_at_sigterm(SIGNAL_ARGS);
bool got_sigterm();

// A kind of transaction. An error that it meets again and again is logged once.
struct Activity {
  const char* description;  // for pg_stat_activity
  // Why its last transaction failed, or, after kNotInstalled, what is missing; with the remedy.
  char error[400] = "";
  int sqlstate = 0;  // of the last error
};

// Runs `body` inside a transaction with SPI connected; it may ereport, but no C++ exception may
// leave it. Never returns kUnknown: inside the server the answer to a COMMIT cannot get lost.
CallEnd run_transaction(Activity* activity, TransactionBody body, void* arg);

// Switches the user of a transaction that has just begun, before anybody's code runs in it. Returns
// what is missing for that, or nullptr.
using Identity = const char* (*)(void* who);

// Likewise, as somebody else than imgpress_worker.
CallEnd run_transaction_as(Identity become, void* who, Activity* activity, TransactionBody body,
                           void* arg);

// Becomes a role until the end of the transaction: for use by an Identity. Refuses SET ROLE and SET
// SESSION AUTHORIZATION, which would lead back to the superuser.
void become(Oid role);

// The error of the transaction that failed last and has not succeeded since; "" if there is none.
const char* repeated_error();

}  // namespace imgpress
