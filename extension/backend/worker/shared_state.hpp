// Shared memory: which worker drains which database, and how to wake it.
//
// It is lost when the server is stopped, and when a process that uses it is killed or crashes: then
// PostgreSQL ends all of them and starts again.
//
// Holds only indexes and plain values: a pointer or descriptor of one process means nothing in
// another. Does not exist if the library was not preloaded.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

constexpr int kMaxDatabases = 64;

constexpr const char* kNoWorkerRole =
    "role imgpress_worker does not exist: run CREATE EXTENSION imgpress, or rename the role back";

// What keeps the requests of a database from being processed.
enum class Obstacle { kNone, kStarting, kNoExtension, kNoDatabase, kCannotStart };

struct Standstill {
  Obstacle obstacle;
  char reason[400];      // with the remedy; may be set without an obstacle: an error that repeats
  TimestampTz next_try;  // 0: not known
};

// A database in imgpress.databases, as the launcher sees it.
struct ListedDatabase {
  NameData name;
  Standstill standstill;
};

struct DrainerSlot {
  Oid database;  // InvalidOid: slot is free
  int pid;
  int proc_number;
  bool woken;  // set together with the latch, since a wait for a lock may reset the latch
  bool told_to_end;
  bool attachments_wanted;  // the process of the attached tables has something to do, and is not
                            // there
  bool ended_as_told;       // of a free slot: its last worker was told to end, by anybody
  NameData name;
  TimestampTz started_at;
  int fetching;
  int waiting;
  int compressing;
  uint64 memory;
  uint64 memory_limit;
  uint64 finished;
  Standstill standstill;
};

// The process of the attached tables of a database. The slot stays when it ends.
struct AttachmentsSlot {
  Oid database;
  int pid;  // 0: does not run
  int proc_number;
  bool woken;
  bool told_to_end;
  // The attachment on whose table it worked as the owner, while it does so: that of a process that
  // ended meanwhile.
  bool has_suspect;
  pg_uuid_t suspect;
  char
      trouble[sizeof(Standstill::reason)];  // an error of its own that repeats; "" if there is none
};

constexpr int kHostsOfADatabase = 32;

struct HostSlot {
  char host[264];
  int connections;
  int waiting;
  int allowed;
  double starts_per_second;
  TimestampTz paused_until;  // 0: not, by itself
  char last_error[200];
};

// What the worker of a database has learnt about hosts.
struct HostSlots {
  int count;
  HostSlot hosts[kHostsOfADatabase];
};

struct SharedState {
  LWLock* lock;  // protects everything below but the condition variable
  int launcher_proc_number;
  bool launch_now;          // set together with the launcher's latch: start workers without pause
  NameData quiet_database;  // gets no worker before quiet_until (DROP DATABASE runs)
  TimestampTz quiet_until;
  int listed_count;
  ListedDatabase listed[kMaxDatabases];  // written by the launcher
  DrainerSlot drainers[kMaxDatabases];
  HostSlots host_states[kMaxDatabases];  // of the drainer with the same index
  AttachmentsSlot attachments[kMaxDatabases];
  bool crashed;  // the server, before it started: workers may have been killed
  int rescued_count;
  Oid rescued[kMaxDatabases];  // databases in which a worker has put back what was held before
  ConditionVariable request_ended;
};

// nullptr when the library was not preloaded.
SharedState* shared_state();

// Asks for the memory and installs the start-up hook. REQUIRES: called while the postmaster loads
// shared_preload_libraries.
void request_shared_state();

// The slot of the worker of a database; nullptr if none runs. REQUIRES: the lock is held.
DrainerSlot* find_drainer(SharedState* shared, const char* database);

// Of the process of the attached tables, likewise.
AttachmentsSlot* find_attachments(SharedState* shared, Oid database);

// Whether an earlier worker of this database may have been killed or have crashed, so that what it
// held has to be put back with suspicion. A worker that ends in any other way frees its slot.
bool earlier_worker_was_killed();
// A worker of this database has put back what an earlier one held.
void note_rescue();

// Sets the latch of the drainer of this database, if there is one; else the launcher's.
void wake_drainer_now();

// Makes the launcher try to start workers without a pause.
void wake_launcher_now();

// Does both of wake_drainer_now() and wake_waiters_now() when the transaction has committed.
void wake_when_committed();

// Wakes the process of the attached tables of this database; if it does not run, the drainer, which
// starts it.
void wake_attachments_now();
void wake_attachments_when_committed();

// Makes every imgpress.wait() check its request again.
void wake_waiters_now();

}  // namespace imgpress
