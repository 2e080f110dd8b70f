// What the processes of this cluster know of each other: who drains which database, whom to wake.
//
// Only indexes and plain values live here; a pointer or descriptor of one process means nothing in
// another. Everything is absent (nullptr) when the library was not preloaded.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

constexpr int kMaxDatabases = 64;

struct DrainerSlot {
  Oid database;  // InvalidOid: slot is free
  int pid;
  int proc_number;
  bool woken;  // set with its latch, which a wait for a lock may swallow
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
  bool launch_now;          // set with the launcher's latch: forget the pauses after failed starts
  NameData quiet_database;  // its drainer is not to run before quiet_until (DROP DATABASE)
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

// Lets every imgpress.wait() look again.
void wake_waiters_now();

}  // namespace imgpress
