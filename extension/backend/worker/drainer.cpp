// The drainer: background worker of one database, from start to end. What it does there is in
// drainer_work.cpp.
#include "backend/bridge/boundary.hpp"
#include "backend/bridge/compat.hpp"
#include "backend/worker/drainer_work.hpp"
#include "backend/bridge/entry_points.hpp"
#include "backend/bridge/row_sink.hpp"
#include "backend/worker/shared_state.hpp"
#include "backend/worker/worker_transaction.hpp"

namespace imgpress {
namespace {

// Without the extension there is nothing to do but to look now and then; CREATE EXTENSION wakes us.
constexpr long kIdleMs = 60 * 1000;

DrainerSlot* my_slot(SharedState* shared) {
  for (DrainerSlot& slot : shared->drainers) {
    if (slot.database == MyDatabaseId && slot.pid == MyProcPid) return &slot;
  }
  return nullptr;
}

// Frees the slot, ends and reaps the presses: see SessionPress::stop().
void leave(int, Datum work_context) {
  MemoryContextReset(reinterpret_cast<MemoryContext>(DatumGetPointer(work_context)));
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(shared);
  if (slot != nullptr) slot->database = InvalidOid;
  LWLockRelease(shared->lock);
  wake_waiters_now();  // DROP DATABASE may wait for this
}

// Takes a place in shared memory. Returns false when this database has a drainer already: there is
// only ever one.
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

// True when somebody has asked for a look since the last call.
bool take_wake(SharedState* shared) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(shared);
  const bool woken = slot->woken;
  slot->woken = false;
  LWLockRelease(shared->lock);
  return woken;
}

void publish(SharedState* shared, const DrainerWork* work) {
  const Pipeline::Load load = work != nullptr ? work->load() : Pipeline::Load{};
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DrainerSlot* slot = my_slot(shared);
  slot->fetching = static_cast<int>(load.fetching);
  slot->waiting = static_cast<int>(load.waiting);
  slot->compressing = static_cast<int>(load.compressing);
  if (work != nullptr) slot->finished = work->finished();
  LWLockRelease(shared->lock);
}

void set_own_options() {
  const struct {
    const char* name;
    const char* value;
  } options[] = {
      // Statements here only ever want a few rows of tables whose statistics may be stale: an
      // index, whatever the planner believes of their size.
      {"enable_seqscan", "off"},
      {"enable_hashjoin", "off"},
      {"enable_mergejoin", "off"},
      {"jit", "off"},
      // Whatever the defaults for people are.
      {"default_transaction_read_only", "off"},
      {"default_transaction_isolation", "read committed"},
      {"statement_timeout", "0"},
      {"lock_timeout", "5s"},
  };
  for (const auto& option : options) {
    SetConfigOption(option.name, option.value, PGC_USERSET, PGC_S_SESSION);
  }
}

bool is_installed() {
  const auto nothing = [](void*) {};
  return run_transaction("looking for the extension", nothing, nullptr) ==
         TransactionEnd::kCommitted;
}

DrainerWork* start_work(MemoryContext context) {
  auto* work = make_in<DrainerWork>(context, settings());
  if (work->begin()) return work;
  MemoryContextReset(context);  // ends the presses
  return nullptr;
}

void sleep_until_needed(const DrainerWork* work) {
  const int wanted = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
  const int events = work == nullptr
                         ? WaitLatch(MyLatch, wanted, kIdleMs, PG_WAIT_EXTENSION)
                         : WaitLatchOrSocket(MyLatch, wanted | WL_SOCKET_READABLE, work->wait_fd(),
                                             work->nap_ms(), PG_WAIT_EXTENSION);
  if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
}

[[noreturn]] void drain(SharedState* shared, MemoryContext work_context) {
  MemoryContext turn_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress turn", ALLOCSET_DEFAULT_SIZES);
  DrainerWork* work = nullptr;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      if (work != nullptr) work->reconfigure(settings());
    }
    MemoryContextSwitchTo(turn_context);
    if (work == nullptr && is_installed()) work = start_work(work_context);
    if (work != nullptr && !work->turn()) {
      work = nullptr;
      MemoryContextReset(work_context);  // ends the presses
    }
    publish(shared, work);
    MemoryContextReset(turn_context);
    if (take_wake(shared)) {
      if (work != nullptr) work->expect_work();
      continue;
    }
    sleep_until_needed(work);
  }
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

void imgpress_drainer_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  // As the bootstrap superuser, who exists whether the extension does or not; every transaction
  // then takes on the role imgpress_worker.
  BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, nullptr, 0);
  SharedState* shared = shared_state();
  MemoryContext work_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress work", ALLOCSET_DEFAULT_SIZES);
  if (!enter(shared, MyBgworkerEntry->bgw_extra, work_context)) {
    ereport(ERROR, (errmsg("imgpress: database \"%s\" has a drainer already",
                           MyBgworkerEntry->bgw_extra)));
  }
  set_own_options();
  drain(shared, work_context);
}

Datum imgpress_worker_state(PG_FUNCTION_ARGS) {
  RowSink* rows = open_rows(fcinfo);
  SharedState* shared = shared_state();
  if (shared == nullptr) return (Datum)0;
  auto* slots = static_cast<DrainerSlot*>(palloc(sizeof(shared->drainers)));
  LWLockAcquire(shared->lock, LW_SHARED);
  memcpy(slots, shared->drainers, sizeof(shared->drainers));
  LWLockRelease(shared->lock);
  for (int i = 0; i < kMaxDatabases; ++i) {
    const DrainerSlot& slot = slots[i];
    if (!OidIsValid(slot.database)) continue;
    Datum values[] = {CStringGetTextDatum(NameStr(slot.name)),
                      Int32GetDatum(slot.pid),
                      TimestampTzGetDatum(slot.started_at),
                      Int32GetDatum(slot.fetching),
                      Int32GetDatum(slot.waiting),
                      Int32GetDatum(slot.compressing),
                      Int64GetDatum(static_cast<int64>(slot.finished))};
    bool nulls[7] = {};
    tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
  }
  return (Datum)0;
}
