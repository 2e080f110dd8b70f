// Shared memory: which worker drains which database, and how to wake it.
//
// Holds only indexes and plain values: a pointer or descriptor of one process means nothing in
// another. Does not exist if the library was not preloaded.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

constexpr int kMaxDatabases = 64;

struct DrainerSlot {
  Oid database;  // InvalidOid: slot is free
  int pid;
  int proc_number;
  bool woken;  // set together with the latch, since a wait for a lock may reset the latch
  NameData name;
  TimestampTz started_at;
  int fetching;
  int waiting;
  int compressing;
  uint64 finished;
};

struct SharedState {
  LWLock* lock;  // protects everything below but the condition variable
  int launcher_proc_number;
  bool launch_now;          // set together with the launcher's latch: start workers without pause
  NameData quiet_database;  // gets no worker before quiet_until (DROP DATABASE runs)
  TimestampTz quiet_until;
  DrainerSlot drainers[kMaxDatabases];
  ConditionVariable request_ended;
};

// nullptr when the library was not preloaded.
SharedState* shared_state();

// Asks for the memory and installs the start-up hook. REQUIRES: called while the postmaster loads
// shared_preload_libraries.
void request_shared_state();

// Sets the latch of the drainer of this database, if there is one; else the launcher's.
void wake_drainer_now();

// Makes every imgpress.wait() check its request again.
void wake_waiters_now();

}  // namespace imgpress
