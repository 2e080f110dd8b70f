// The background worker of one database, from start to end: a drainer with a queue over SPI.
#include <algorithm>

#include "drain/drainer.hpp"
#include "drain/pipeline/pipeline.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/compat.hpp"
#include "backend/press_path.hpp"
#include "backend/worker/drainer_settings.hpp"
#include "backend/worker/shared_state.hpp"
#include "backend/worker/spi_queue.hpp"
#include "backend/worker/worker_transaction.hpp"

namespace imgpress {
namespace {

// How often the worker checks for the extension where it is not installed. CREATE EXTENSION also
// wakes the worker.
constexpr long kIdleMs = 60 * 1000;
constexpr long kErrorMs = 5 * 1000;  // after a check that failed

// A database has one background worker; other numbers are for drainers on other machines.
constexpr int kDrainerNumber = 0;

// Lives in a memory context: deleting the context destroys the C++ objects and ends the presses.
struct Work {
  explicit Work(const DrainerSettings& settings)
      : pipeline(settings.pipeline, Clock::now()),
        drainer(kDrainerNumber, settings, queue, pipeline, Clock::now) {}
  SpiQueue queue;
  PressPipeline pipeline;
  Drainer drainer;
};

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
  if (slot != nullptr) slot->database = InvalidOid;
  LWLockRelease(shared->lock);
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
    free_slot->database = MyDatabaseId;
    free_slot->pid = MyProcPid;
    free_slot->proc_number = compat::my_proc_number();
    free_slot->started_at = GetCurrentTimestamp();
    namestrcpy(&free_slot->name, database);
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
  LWLockRelease(shared->lock);
  return woken;
}

void publish(SharedState* shared, const Work* work) {
  const PipelineLoad load = work != nullptr ? work->pipeline.load() : PipelineLoad{};
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(shared);
  slot->fetching = static_cast<int>(load.fetching);
  slot->waiting = static_cast<int>(load.waiting);
  slot->compressing = static_cast<int>(load.compressing);
  if (work != nullptr) slot->finished = work->drainer.finished();
  LWLockRelease(shared->lock);
}

// Checks whether the extension is installed; logs once if it is not.
CallEnd look_for_extension(bool* told) {
  const auto nothing = [](void*) {};
  const CallEnd end = run_transaction("looking for the extension", nothing, nullptr);
  if (end == CallEnd::kNotInstalled && !*told) {
    ereport(
        LOG,
        (errmsg("imgpress: the worker of database \"%s\" waits: the extension is not installed in "
                "this version, or the role imgpress_worker does not exist",
                MyBgworkerEntry->bgw_extra),
         errhint("CREATE EXTENSION imgpress creates both; ALTER EXTENSION imgpress UPDATE "
                 "updates an earlier version.")));
  }
  *told = end == CallEnd::kNotInstalled;
  return end;
}

Work* start_work(MemoryContext context) {
  const Settings config = settings();
  const char* path = press_path();
  auto* made = make_in<DrainerSettings>(CurrentMemoryContext);
  guard([&] { *made = drainer_settings(config, path); });
  return make_in<Work>(context, *made);
}

void reconfigure(Work* work) {
  const Settings config = settings();
  const char* path = press_path();
  guard([&] { work->drainer.reconfigure(drainer_settings(config, path)); });
}

// Returns false when the extension is gone. A transaction in here may end the process, so no caller
// may still use what leave() destroys.
bool turn(Work* work) {
  bool installed = true;
  guard([&] { installed = work->drainer.turn(); });
  return installed;
}

// Milliseconds, rounded up, until the next turn is due.
long nap_ms(const Work* work) {
  const TimePoint deadline = work->drainer.deadline();
  const TimePoint now = Clock::now();
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  return static_cast<long>(std::min<std::int64_t>(left.count(), kIdleMs));
}

void sleep_until_needed(const Work* work, long idle_ms) {
  const int wanted = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
  const int events = work == nullptr ? WaitLatch(MyLatch, wanted, idle_ms, PG_WAIT_EXTENSION)
                                     : WaitLatchOrSocket(MyLatch, wanted | WL_SOCKET_READABLE,
                                                         work->pipeline.wait_fd(), nap_ms(work),
                                                         PG_WAIT_EXTENSION);
  if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
}

[[noreturn]] void drain(SharedState* shared, MemoryContext work_context) {
  MemoryContext turn_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress turn", ALLOCSET_DEFAULT_SIZES);
  Work* work = nullptr;
  bool told = false;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    MemoryContextSwitchTo(turn_context);
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      if (work != nullptr) reconfigure(work);
    }
    CallEnd looked = CallEnd::kCommitted;
    if (work == nullptr) looked = look_for_extension(&told);
    if (work == nullptr && looked == CallEnd::kCommitted) work = start_work(work_context);
    if (work != nullptr && !turn(work)) {
      work = nullptr;
      MemoryContextReset(work_context);  // ends the presses
      looked = look_for_extension(&told);
    }
    publish(shared, work);
    MemoryContextReset(turn_context);
    if (take_wake(shared)) {
      if (work != nullptr) work->drainer.expect_work();
      continue;
    }
    sleep_until_needed(work, looked == CallEnd::kFailed ? kErrorMs : kIdleMs);
  }
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" [[noreturn]] void imgpress_drainer_main(Datum);

void imgpress_drainer_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  // Connects as the bootstrap superuser, who exists without the extension too; each transaction
  // then switches to imgpress_worker. Before the first one nobody else's code runs: a background
  // worker loads neither session_preload_libraries nor local_preload_libraries.
  BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, nullptr, 0);
  SharedState* shared = shared_state();
  MemoryContext work_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress work", ALLOCSET_DEFAULT_SIZES);
  if (!enter(shared, MyBgworkerEntry->bgw_extra, work_context)) {
    ereport(ERROR,
            (errmsg("imgpress: database \"%s\" has a worker already", MyBgworkerEntry->bgw_extra)));
  }
  pin_settings();
  // From here on C++ frames are on the stack, and an uncaught error must not longjmp over them.
  // Without a handler PostgreSQL makes it FATAL, which ends the process in place.
  PG_exception_stack = nullptr;
  drain(shared, work_context);
}
