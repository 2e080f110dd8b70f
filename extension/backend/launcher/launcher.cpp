#include "backend/launcher/launcher.hpp"

#include <csignal>

#include "backend/bridge/postgres_api.hpp"
#include "backend/launcher/hindrance.hpp"
#include "backend/settings.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "utils/ps_status.h"
#include "utils/varlena.h"
}

namespace imgpress {
namespace {

constexpr long kFirstPauseMs = 1000;
constexpr long kLongestPauseMs =
    5L * 1000;  // what is in the way is on this machine: it may go soon
constexpr long kAdoptedCheckMs = 5L * 1000;
constexpr long kEndPatienceMs = 10L * 1000;   // for a worker that was told to end
constexpr long kHealthyAfterMs = 10L * 1000;  // a worker that ran this long is restarted at once

// A database in imgpress.databases, or one that was removed from it and whose worker still runs.
struct Job {
  NameData database;
  bool wanted;
  BackgroundWorkerHandle* handle;  // nullptr: no worker of this launcher
  long pause_ms;
  TimestampTz started_at;
  TimestampTz start_at;   // the worker is not started before this time
  TimestampTz end_by;     // a worker that was told to end is ended by a signal after this time
  Standstill standstill;  // while no worker runs
  const char* warned_of;  // reason that has been logged already, or nullptr
};

struct Jobs {
  Job all[kMaxDatabases];
  int count;
};

Job* find_job(Jobs* jobs, const char* database) {
  for (int i = 0; i < jobs->count; ++i) {
    if (strcmp(NameStr(jobs->all[i].database), database) == 0) return &jobs->all[i];
  }
  return nullptr;
}

void want_database(Jobs* jobs, const char* name) {
  NameData database;
  namestrcpy(&database, name);
  Job* job = find_job(jobs, NameStr(database));
  if (job == nullptr) {
    if (jobs->count == kMaxDatabases) {
      ereport(WARNING,
              (errmsg("imgpress.databases names more than %d databases: \"%s\" gets no worker",
                      kMaxDatabases, name)));
      return;
    }
    job = &jobs->all[jobs->count++];
    MemSet(job, 0, sizeof(Job));
    job->database = database;
    job->pause_ms = kFirstPauseMs;
  }
  job->wanted = true;
  job->end_by = 0;
}

void read_databases(Jobs* jobs) {
  for (int i = 0; i < jobs->count; ++i) jobs->all[i].wanted = false;
  char* list = pstrdup(settings().databases);
  List* names = NIL;
  SplitGUCList(list, ',', &names);  // the setting's check hook has seen that it is a list
  ListCell* cell = nullptr;
  foreach (cell, names) {
    want_database(jobs, static_cast<const char*>(lfirst(cell)));
  }
}

constexpr Hindrance kNoSlot{
    Obstacle::kCannotStart,
    "no background worker slot is free: raise max_worker_processes and restart "
    "PostgreSQL"};
constexpr Hindrance kShortLife{Obstacle::kCannotStart,
                               "its worker ended soon after its start; the server's log says why"};

// No worker runs; the next start is at job->start_at.
void halt(Job* job, const Hindrance& hindrance) {
  job->standstill.obstacle = hindrance.obstacle;
  job->standstill.next_try = job->start_at;
  strlcpy(job->standstill.reason, hindrance.reason, sizeof(Standstill::reason));
  if (job->warned_of == hindrance.reason) return;
  job->warned_of = hindrance.reason;
  const char* what =
      hindrance.obstacle == Obstacle::kNoDatabase ? "does not exist" : "has no worker";
  ereport(WARNING, (errmsg("imgpress: database \"%s\" of imgpress.databases %s: %s",
                           NameStr(job->database), what, hindrance.reason)));
}

bool start_drainer(Job* job) {
  BackgroundWorker worker;
  MemSet(&worker, 0, sizeof(worker));
  snprintf(worker.bgw_name, BGW_MAXLEN, "imgpress worker %s", NameStr(job->database));
  strlcpy(worker.bgw_type, worker.bgw_name, BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;  // the launcher restarts it
  strlcpy(worker.bgw_library_name, "imgpress", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, "imgpress_drainer_main", BGW_MAXLEN);
  strlcpy(worker.bgw_extra, NameStr(job->database), BGW_EXTRALEN);
  worker.bgw_notify_pid = MyProcPid;
  job->started_at = GetCurrentTimestamp();
  if (RegisterDynamicBackgroundWorker(&worker, &job->handle)) return true;
  job->handle = nullptr;
  return false;
}

// Whether the last worker of this database was told to end, by pg_terminate_backend() perhaps.
bool take_ended_as_told(SharedState* shared, const char* database) {
  bool told = false;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  for (DrainerSlot& slot : shared->drainers) {
    if (OidIsValid(slot.database) || strcmp(NameStr(slot.name), database) != 0) continue;
    told = told || slot.ended_as_told;
    slot.ended_as_told = false;
  }
  LWLockRelease(shared->lock);
  return told;
}

// Notices that a worker has ended. The pause before its next start doubles while starts keep
// failing.
void notice_end(Job* job, SharedState* shared, TimestampTz now) {
  if (job->handle == nullptr) return;
  pid_t pid = 0;
  if (GetBackgroundWorkerPid(job->handle, &pid) != BGWH_STOPPED) return;
  pfree(job->handle);
  job->handle = nullptr;
  if (TimestampDifferenceExceeds(job->started_at, now, kHealthyAfterMs)) {
    job->pause_ms = kFirstPauseMs;
    job->start_at = now;
    job->warned_of = nullptr;
    return;
  }
  if (take_ended_as_told(shared, NameStr(job->database))) {
    job->pause_ms = kFirstPauseMs;
    job->start_at = TimestampTzPlusMilliseconds(job->started_at, kFirstPauseMs);
    return;
  }
  const bool again = job->pause_ms > kFirstPauseMs;
  job->start_at = TimestampTzPlusMilliseconds(now, job->pause_ms);
  job->pause_ms = Min(job->pause_ms * 2, kLongestPauseMs);
  if (job->wanted && again) halt(job, kShortLife);
}

// While the database is being dropped: when it may have a worker again.
TimestampTz quiet_until(const SharedState* shared, const char* database) {
  TimestampTz until = 0;
  LWLockAcquire(shared->lock, LW_SHARED);
  if (strcmp(NameStr(shared->quiet_database), database) == 0) until = shared->quiet_until;
  LWLockRelease(shared->lock);
  return until;
}

// The process id of the worker of a database, whichever launcher started it; 0 if none runs.
pid_t drainer_pid(SharedState* shared, const char* database) {
  LWLockAcquire(shared->lock, LW_SHARED);
  const DrainerSlot* slot = find_drainer(shared, database);
  const pid_t pid = slot != nullptr ? slot->pid : 0;
  LWLockRelease(shared->lock);
  return pid;
}

bool take_launch_now(SharedState* shared) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  const bool now = shared->launch_now;
  shared->launch_now = false;
  LWLockRelease(shared->lock);
  return now;
}

// Asks the worker to end between two transactions. Returns false if it has no slot yet.
bool ask_to_end(SharedState* shared, const char* database) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = find_drainer(shared, database);
  if (slot != nullptr) {
    slot->told_to_end = true;
    slot->woken = true;
    SetLatch(&ProcGlobal->allProcs[slot->proc_number].procLatch);
  }
  LWLockRelease(shared->lock);
  return slot != nullptr;
}

void stop_drainer(Job* job, SharedState* shared, pid_t adopted, TimestampTz now) {
  if (job->end_by == 0) {
    ereport(LOG, (errmsg("imgpress: database \"%s\" is not in imgpress.databases any more; its "
                         "worker ends",
                         NameStr(job->database))));
    job->end_by = TimestampTzPlusMilliseconds(now, kEndPatienceMs);
    if (ask_to_end(shared, NameStr(job->database))) return;
  } else if (now < job->end_by) {
    return;
  }
  if (job->handle != nullptr) {
    TerminateBackgroundWorker(job->handle);
  } else {
    kill(adopted, SIGTERM);
  }
}

// Starts or stops the worker of one database if that is due. Returns when to check again; DT_NOEND:
// when the latch is set.
TimestampTz tend_job(Job* job, SharedState* shared, TimestampTz now, bool launch_now) {
  notice_end(job, shared, now);
  const pid_t adopted = job->handle == nullptr ? drainer_pid(shared, NameStr(job->database)) : 0;
  if (job->handle != nullptr || adopted > 0) {
    if (!job->wanted) stop_drainer(job, shared, adopted, now);
    // PostgreSQL signals the end of a worker only to the launcher that started it.
    if (adopted > 0) return TimestampTzPlusMilliseconds(now, kAdoptedCheckMs);
    return job->wanted ? DT_NOEND : Max(job->end_by, TimestampTzPlusMilliseconds(now, 1000));
  }
  if (!job->wanted) return DT_NOEND;
  // A request is waiting: skip the long pause, but start no more than one worker a second.
  if (launch_now) {
    job->start_at = Min(job->start_at, TimestampTzPlusMilliseconds(job->started_at, kFirstPauseMs));
  }
  const TimestampTz start_at = Max(job->start_at, quiet_until(shared, NameStr(job->database)));
  if (start_at > now) return start_at;
  const Hindrance found = look_for_hindrance(NameStr(job->database));
  if (found.obstacle != Obstacle::kNone) {
    job->start_at = TimestampTzPlusMilliseconds(now, kLongestPauseMs);
    halt(job, found);
    return job->start_at;
  }
  if (start_drainer(job)) {
    if (job->warned_of != kShortLife.reason) job->warned_of = nullptr;
    job->standstill = {Obstacle::kStarting, "", 0};
    return DT_NOEND;
  }
  job->start_at = TimestampTzPlusMilliseconds(now, kLongestPauseMs);
  halt(job, kNoSlot);
  return job->start_at;
}

// For the view imgpress.workers.
void publish(const Jobs* jobs, SharedState* shared) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  shared->listed_count = 0;
  for (int i = 0; i < jobs->count; ++i) {
    if (!jobs->all[i].wanted) continue;
    ListedDatabase* listed = &shared->listed[shared->listed_count++];
    listed->name = jobs->all[i].database;
    listed->standstill = jobs->all[i].standstill;
  }
  LWLockRelease(shared->lock);
}

// Starts and stops workers as needed and forgets databases that are done with. Returns how long to
// sleep, in milliseconds; -1 without limit.
long tend_jobs(Jobs* jobs, SharedState* shared) {
  const TimestampTz now = GetCurrentTimestamp();
  const bool launch_now = take_launch_now(shared);
  TimestampTz next = DT_NOEND;
  for (int i = 0; i < jobs->count; ++i) {
    Job* job = &jobs->all[i];
    next = Min(next, tend_job(job, shared, now, launch_now));
    if (!job->wanted && job->handle == nullptr &&
        drainer_pid(shared, NameStr(job->database)) == 0) {
      *job = jobs->all[--jobs->count];
      --i;
    }
  }
  publish(jobs, shared);
  return next == DT_NOEND ? -1 : TimestampDifferenceMilliseconds(now, next);
}

// Takes over workers of an earlier launcher whose databases are not listed any more.
void adopt_drainers(Jobs* jobs, const SharedState* shared) {
  LWLockAcquire(shared->lock, LW_SHARED);
  for (const DrainerSlot& slot : shared->drainers) {
    if (!OidIsValid(slot.database) || find_job(jobs, NameStr(slot.name)) != nullptr) continue;
    want_database(jobs, NameStr(slot.name));
    Job* job = find_job(jobs, NameStr(slot.name));
    if (job != nullptr) job->wanted = false;
  }
  LWLockRelease(shared->lock);
}

void leave(int, Datum) {
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  shared->launcher_proc_number = -1;
  LWLockRelease(shared->lock);
}

void enter(SharedState* shared, int proc_number) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  shared->launcher_proc_number = proc_number;
  LWLockRelease(shared->lock);
  before_shmem_exit(leave, (Datum)0);
}

}  // namespace

void register_launcher() {
  BackgroundWorker worker;
  MemSet(&worker, 0, sizeof(worker));
  strlcpy(worker.bgw_name, "imgpress launcher", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "imgpress launcher", BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = 5;
  strlcpy(worker.bgw_library_name, "imgpress", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, "imgpress_launcher_main", BGW_MAXLEN);
  RegisterBackgroundWorker(&worker);
}

}  // namespace imgpress

using namespace imgpress;

extern "C" PGDLLEXPORT [[noreturn]] void imgpress_launcher_main(Datum);

void imgpress_launcher_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  BackgroundWorkerUnblockSignals();
  // Connected to no database: that is enough to be seen in pg_stat_activity and to read the shared
  // catalogues, and no database owner's settings or triggers can run in this process.
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);

  SharedState* shared = shared_state();
  enter(shared, compat::my_proc_number());
  auto* jobs = static_cast<Jobs*>(MemoryContextAllocZero(TopMemoryContext, sizeof(Jobs)));
  MemoryContext loop_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress launcher", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(loop_context);
  read_databases(jobs);
  adopt_drainers(jobs, shared);
  while (!ShutdownRequestPending) {
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      read_databases(jobs);
      wake_launcher_now();  // what was in the way may have gone
    }
    MemoryContextSwitchTo(TopMemoryContext);  // the handles of workers outlive this turn
    const long nap = tend_jobs(jobs, shared);
    MemoryContextSwitchTo(loop_context);
    MemoryContextReset(loop_context);
    const int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (nap >= 0 ? WL_TIMEOUT : 0);
    WaitLatch(MyLatch, events, nap, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
  proc_exit(1);  // exit code 0 would unregister the launcher
}
