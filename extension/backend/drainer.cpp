// The drainer: background worker of one database, from start to end. What it does there is in
// drainer_work.cpp.
#include "backend/boundary.hpp"
#include "backend/compat.hpp"
#include "backend/drainer_work.hpp"
#include "backend/entry_points.hpp"
#include "backend/row_sink.hpp"
#include "backend/shared_state.hpp"
#include "backend/worker_transaction.hpp"

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

// Says once why nothing is done.
bool is_installed(bool* told) {
  const auto nothing = [](void*) {};
  const TransactionEnd end = run_transaction("looking for the extension", nothing, nullptr);
  if (end == TransactionEnd::kNotInstalled && !*told) {
    ereport(LOG,
            (errmsg("imgpress: the drainer of database \"%s\" idles: the extension or the role "
                    "imgpress_worker is not there",
                    MyBgworkerEntry->bgw_extra),
             errhint("CREATE EXTENSION imgpress makes both.")));
  }
  *told = end == TransactionEnd::kNotInstalled;
  return end == TransactionEnd::kCommitted;
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
  bool told = false;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      if (work != nullptr) work->reconfigure(settings());
    }
    MemoryContextSwitchTo(turn_context);
    if (work == nullptr && is_installed(&told)) work = start_work(work_context);
    if (work != nullptr && !work->turn()) {
      work = nullptr;
      MemoryContextReset(work_context);  // ends the presses
      is_installed(&told);
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
  // then takes on the role imgpress_worker. Until the first of them no code runs that anybody else
  // has a say in: a background worker loads neither session_preload_libraries nor local ones.
  BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, nullptr, 0);
  SharedState* shared = shared_state();
  MemoryContext work_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress work", ALLOCSET_DEFAULT_SIZES);
  if (!enter(shared, MyBgworkerEntry->bgw_extra, work_context)) {
    ereport(ERROR, (errmsg("imgpress: database \"%s\" has a drainer already",
                           MyBgworkerEntry->bgw_extra)));
  }
  pin_settings();
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
