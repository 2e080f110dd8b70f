// The background worker of one database, from start to end: a drainer with a queue over SPI.
#include <algorithm>
#include <optional>

#include "drain/drainer.hpp"
#include "drain/pipeline/pipeline.hpp"

#include "backend/attach_worker/attachments_process.hpp"
#include "backend/bridge/boundary.hpp"
#include "backend/presses/press_path.hpp"
#include "backend/worker/drainer_settings.hpp"
#include "backend/presses/host_reports.hpp"
#include "backend/worker/shared_state.hpp"
#include "backend/worker/spi_queue.hpp"
#include "backend/worker/worker_transaction.hpp"

namespace imgpress {
namespace {

constexpr long kLongestNapMs = 60L * 1000;

// Between attempts to find the extension, to start the presses or to reach the tables; doubles
// while they fail. All causes are on this machine and may end at any time.
constexpr long kFirstPauseMs = 1000;
constexpr long kLongestPauseMs = 5L * 1000;
// Presses that ran this long work. Earlier, they may only just have been started again.
constexpr long kHealthyAfterMs = 10L * 1000;

// A database has one background worker; other numbers are for drainers on other machines.
constexpr int kDrainerNumber = 0;

// Lives in a memory context: resetting the context destroys the C++ objects and ends the presses.
struct Work {
  explicit Work(const DrainerSettings& settings)
      : pipeline(settings.pipeline, Clock::now()),
        drainer(kDrainerNumber, settings, queue, pipeline, Clock::now) {}
  SpiQueue queue;
  PressPipeline pipeline;
  Drainer drainer;
};

struct Worker {
  SharedState* shared;
  MemoryContext work_context;
  Work* work;  // nullptr while something keeps the worker from working
  bool ready;  // the presses of `work` have started
  TimestampTz ready_at;
  bool announced;           // the log has the line about the start
  uint64 finished_earlier;  // images, before the presses were started again
  Standstill standstill;    // why work is nullptr, or not ready yet
  AttachmentsStarter attachments;
  char warned_of[sizeof(Standstill::reason)];
  long pause_ms;
  TimestampTz tried_at;
};

HostSlots* host_slots(SharedState* shared, const DrainerSlot* slot) {
  return &shared->host_states[slot - shared->drainers];
}

DrainerSlot* my_slot(SharedState* shared) {
  for (DrainerSlot& slot : shared->drainers) {
    if (slot.database == MyDatabaseId && slot.pid == MyProcPid) return &slot;
  }
  return nullptr;
}

// Ends and reaps the presses (see SessionPress::stop()), then frees the slot.
void leave(int, Datum work_context) {
  MemoryContextReset(reinterpret_cast<MemoryContext>(DatumGetPointer(work_context)));
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(shared);
  if (slot != nullptr) {
    slot->ended_as_told = got_sigterm() || slot->told_to_end;
    slot->database = InvalidOid;
  }
  LWLockRelease(shared->lock);
  end_attachments_process();
  wake_waiters_now();  // DROP DATABASE may wait for this
}

// Takes a slot in shared memory. Returns false if this database has a worker already.
bool enter(SharedState* shared, const char* database, MemoryContext work_context) {
  DrainerSlot* free_slot = nullptr;
  bool taken = false;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  for (DrainerSlot& slot : shared->drainers) {
    if (slot.database == MyDatabaseId) taken = true;
    if (!OidIsValid(slot.database) && free_slot == nullptr) free_slot = &slot;
  }
  if (!taken && free_slot != nullptr) {
    MemSet(free_slot, 0, sizeof(DrainerSlot));
    host_slots(shared, free_slot)->count = 0;
    free_slot->database = MyDatabaseId;
    free_slot->pid = MyProcPid;
    free_slot->proc_number = compat::my_proc_number();
    free_slot->started_at = GetCurrentTimestamp();
    namestrcpy(&free_slot->name, database);
    free_slot->standstill.obstacle = Obstacle::kStarting;
  }
  LWLockRelease(shared->lock);
  before_shmem_exit(leave, PointerGetDatum(work_context));
  return !taken && free_slot != nullptr;
}

// Whether the worker has been woken since the last call.
bool take_wake(SharedState* shared) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(shared);
  const bool woken = slot->woken;
  slot->woken = false;
  if (slot->told_to_end) ShutdownRequestPending = true;
  LWLockRelease(shared->lock);
  return woken;
}

void publish(const Worker* worker) {
  const Work* work = worker->work;
  const PipelineLoad load = work != nullptr ? work->pipeline.load() : PipelineLoad{};
  LWLockAcquire(worker->shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(worker->shared);
  slot->fetching = static_cast<int>(load.fetching);
  slot->waiting = static_cast<int>(load.waiting);
  slot->compressing = static_cast<int>(load.compressing);
  slot->memory = load.memory;
  slot->memory_limit = load.memory_limit;
  slot->finished = worker->finished_earlier + (work != nullptr ? work->drainer.finished() : 0);
  slot->standstill = worker->standstill;
  if (worker->ready) {
    const char* error = repeated_error();
    strlcpy(slot->standstill.reason, error[0] != '\0' ? error : worker->attachments.trouble(),
            sizeof(Standstill::reason));
  }
  LWLockRelease(worker->shared->lock);
  if (work == nullptr) return;
  publish_hosts(worker->shared, host_slots(worker->shared, slot), work->pipeline);
}

// The worker does not work, and tries again after a pause.
void halt(Worker* worker, Obstacle obstacle, const char* reason, long pause_ms) {
  if (worker->work != nullptr) worker->finished_earlier += worker->work->drainer.finished();
  worker->work = nullptr;
  worker->ready = false;
  MemoryContextReset(worker->work_context);  // ends the presses
  worker->tried_at = GetCurrentTimestamp();
  worker->standstill.obstacle = obstacle;
  strlcpy(worker->standstill.reason, reason, sizeof(Standstill::reason));
  worker->standstill.next_try = TimestampTzPlusMilliseconds(worker->tried_at, pause_ms);
}

void halt_and_warn(Worker* worker, Obstacle obstacle, const char* reason, long pause_ms) {
  halt(worker, obstacle, reason, pause_ms);
  if (strcmp(worker->warned_of, worker->standstill.reason) == 0) return;
  strlcpy(worker->warned_of, worker->standstill.reason, sizeof(worker->warned_of));
  ereport(WARNING, (errmsg("imgpress: nothing is processed in database \"%s\": %s",
                           MyBgworkerEntry->bgw_extra, reason)));
}

long next_pause(Worker* worker) {
  const long pause = worker->pause_ms;
  worker->pause_ms = Min(2 * pause, kLongestPauseMs);
  return pause;
}

void halt_after(Worker* worker, const CaughtError& error) {
  halt_and_warn(worker, Obstacle::kCannotStart, error.message, next_pause(worker));
}

// Starts the presses, if the extension is installed.
void try_to_start(Worker* worker) {
  static Activity looking{"looking for the extension"};
  const CallEnd end = run_transaction(
      &looking, [](void*) {}, nullptr);
  if (end == CallEnd::kNotInstalled) {
    halt_and_warn(worker, Obstacle::kNoExtension, looking.error, kLongestPauseMs);
    return;
  }
  if (end != CallEnd::kCommitted) {
    halt(worker, Obstacle::kCannotStart, looking.error, next_pause(worker));
    return;
  }
  const Settings config = settings();
  const char* path = press_path();
  auto* made = make_in<std::optional<Work>>(worker->work_context);
  const CaughtError error = attempt([&] { made->emplace(drainer_settings(config, path)); });
  if (error.set) {
    halt_after(worker, error);
    return;
  }
  worker->work = &**made;
  worker->standstill.next_try = 0;
  if (worker->standstill.obstacle != Obstacle::kCannotStart) {
    worker->standstill = {Obstacle::kStarting, "", 0};
  }
}

void reconfigure(Worker* worker) {
  worker->standstill.next_try = 0;  // the new settings may be the remedy
  if (worker->work == nullptr) return;
  const Settings config = settings();
  const char* path = press_path();
  const CaughtError error =
      attempt([&] { worker->work->drainer.reconfigure(drainer_settings(config, path)); });
  if (error.set) halt_after(worker, error);
}

void note_ready(Worker* worker) {
  worker->ready = true;
  worker->ready_at = GetCurrentTimestamp();
  worker->standstill = {};
  if (worker->announced) return;
  worker->announced = true;
  char* layers = nullptr;
  guard([&] { layers = pstrdup(worker->work->pipeline.codec_layers().c_str()); });
  ereport(LOG, (errmsg("imgpress " IMGPRESS_VERSION
                       " works in database \"%s\" with %zu codecs, confined by %s",
                       MyBgworkerEntry->bgw_extra, worker->work->pipeline.codecs(), layers)));
}

// After a failure: the next one counts as new.
void note_health(Worker* worker) {
  if (!TimestampDifferenceExceeds(worker->ready_at, GetCurrentTimestamp(), kHealthyAfterMs)) return;
  worker->pause_ms = kFirstPauseMs;
  worker->warned_of[0] = '\0';
  ereport(LOG, (errmsg("imgpress works again in database \"%s\"", MyBgworkerEntry->bgw_extra)));
}

// A transaction in here may end the process, so no caller may still use what leave() destroys.
void turn(Worker* worker) {
  bool installed = true;
  const CaughtError error = attempt([&] { installed = worker->work->drainer.turn(); });
  if (error.set) {
    halt_after(worker, error);
  } else if (!installed) {
    halt(worker, Obstacle::kNoExtension, "", 0);  // try_to_start() finds the reason at once
  } else if (!worker->ready && worker->work->pipeline.ready()) {
    note_ready(worker);
  } else if (worker->ready && worker->pause_ms > kFirstPauseMs) {
    note_health(worker);
  }
}

// A request is waiting: the worker tries at once, but no more than once a second.
void expect_work(Worker* worker) {
  if (worker->work != nullptr) worker->work->drainer.expect_work();
  const TimestampTz soon = TimestampTzPlusMilliseconds(worker->tried_at, kFirstPauseMs);
  worker->standstill.next_try = Min(worker->standstill.next_try, soon);
}

// Milliseconds, rounded up, until the next turn is due.
long turn_due_ms(const Worker* worker) {
  if (worker->work == nullptr) {
    return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), worker->standstill.next_try);
  }
  const TimePoint deadline = worker->work->drainer.deadline();
  const TimePoint now = Clock::now();
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  return static_cast<long>(std::min<std::int64_t>(left.count(), kLongestNapMs));
}

long nap_ms(const Worker* worker) {
  const long turn = turn_due_ms(worker);
  const long attachments = worker->work != nullptr ? worker->attachments.due_ms() : -1;
  return attachments < 0 ? turn : Min(turn, attachments);
}

void sleep_until_needed(const Worker* worker) {
  const int wanted = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
  const long nap = nap_ms(worker);
  const int events =
      worker->work == nullptr
          ? WaitLatch(MyLatch, wanted, nap, PG_WAIT_EXTENSION)
          : WaitLatchOrSocket(MyLatch, wanted | WL_SOCKET_READABLE,
                              worker->work->pipeline.wait_fd(), nap, PG_WAIT_EXTENSION);
  if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
}

[[noreturn]] void drain(Worker* worker) {
  MemoryContext turn_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress turn", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    QueryCancelPending = false;  // came when there was nothing to cancel
    CHECK_FOR_INTERRUPTS();
    // Exit code 0: PostgreSQL doesn't log it.
    if (ShutdownRequestPending) proc_exit(0);
    MemoryContextSwitchTo(turn_context);
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      reconfigure(worker);
    }
    if (worker->work == nullptr && worker->standstill.next_try <= GetCurrentTimestamp()) {
      try_to_start(worker);
    }
    if (worker->work != nullptr) turn(worker);
    if (worker->work != nullptr) worker->attachments.tend();
    publish(worker);
    MemoryContextReset(turn_context);
    if (take_wake(worker->shared)) {
      expect_work(worker);
      continue;
    }
    sleep_until_needed(worker);
  }
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" PGDLLEXPORT [[noreturn]] void imgpress_drainer_main(Datum);

void imgpress_drainer_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, end_at_sigterm);
  BackgroundWorkerUnblockSignals();
  // Connects as the bootstrap superuser, who exists without the extension too; each transaction
  // then switches to imgpress_worker. Before the first one nobody else's code runs: a background
  // worker loads neither session_preload_libraries nor local_preload_libraries.
  BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, nullptr, 0);
  auto* worker = static_cast<Worker*>(MemoryContextAllocZero(TopMemoryContext, sizeof(Worker)));
  worker->shared = shared_state();
  worker->work_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress work", ALLOCSET_DEFAULT_SIZES);
  new (&worker->attachments) AttachmentsStarter();
  worker->pause_ms = kFirstPauseMs;
  if (!enter(worker->shared, MyBgworkerEntry->bgw_extra, worker->work_context)) {
    ereport(ERROR,
            (errmsg("imgpress: database \"%s\" has a worker already", MyBgworkerEntry->bgw_extra)));
  }
  pin_settings();
  // From here on C++ frames are on the stack, and an uncaught error must not longjmp over them.
  // Without a handler PostgreSQL makes it FATAL, which ends the process in place.
  PG_exception_stack = nullptr;
  drain(worker);
}
