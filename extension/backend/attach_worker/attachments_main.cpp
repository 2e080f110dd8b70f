// The process of the attached tables of one database, from start to end. The drainer starts it when
// there is something to do; it ends after a while without. It is the only process that reads and
// writes attached tables, and does nothing else.
#include "backend/attach_worker/attached_work.hpp"
#include "backend/attach_worker/attachments_process.hpp"
#include "backend/attach_worker/owner_transaction.hpp"
#include "backend/worker/shared_state.hpp"
#include "backend/worker/worker_transaction.hpp"

namespace imgpress {
namespace {

constexpr long kIdleMs = 10L * 1000;
// Rows that change one after the other are taken together: no more than ten turns a second.
constexpr long kTurnMs = 100;
constexpr long kPauseMs = 1000;  // after an error of imgpress's own

bool ended_in_order = false;

// The drainer starts another process if this one did not end by itself.
void leave(int, Datum) {
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  AttachmentsSlot* slot = find_attachments(shared, MyDatabaseId);
  const bool is_mine = slot != nullptr && slot->pid == MyProcPid;
  if (is_mine) slot->pid = 0;
  LWLockRelease(shared->lock);
  if (is_mine && !ended_in_order) wake_attachments_now();
  wake_waiters_now();  // DROP DATABASE may wait for this
}

// Takes the slot of this database. Returns nullptr if it has such a process already.
AttachmentsSlot* enter(SharedState* shared) {
  AttachmentsSlot* mine = nullptr;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  for (AttachmentsSlot& slot : shared->attachments) {
    if (slot.database == MyDatabaseId) mine = &slot;
  }
  for (AttachmentsSlot& slot : shared->attachments) {
    if (mine != nullptr) break;
    if (slot.pid == 0 && !slot.has_suspect) mine = &slot;
  }
  if (mine != nullptr && mine->pid != 0) mine = nullptr;
  if (mine != nullptr) {
    mine->has_suspect = mine->has_suspect && mine->database == MyDatabaseId;
    mine->database = MyDatabaseId;
    mine->pid = MyProcPid;
    mine->proc_number = compat::my_proc_number();
    mine->woken = false;
    mine->told_to_end = false;
    mine->trouble[0] = '\0';
  }
  LWLockRelease(shared->lock);
  before_shmem_exit(leave, (Datum)0);
  return mine;
}

// Whether the process has been woken since the last call.
bool take_wake(SharedState* shared, AttachmentsSlot* slot) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  const bool woken = slot->woken;
  slot->woken = false;
  if (slot->told_to_end) ShutdownRequestPending = true;
  LWLockRelease(shared->lock);
  return woken;
}

// For imgpress.workers, where the drainer shows it.
void publish_trouble(SharedState* shared, AttachmentsSlot* slot, const char* trouble) {
  if (strcmp(slot->trouble, trouble) == 0) return;  // nobody else writes it
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  strlcpy(slot->trouble, trouble, sizeof(slot->trouble));
  for (const DrainerSlot& drainer : shared->drainers) {
    if (drainer.database == MyDatabaseId)
      SetLatch(&ProcGlobal->allProcs[drainer.proc_number].procLatch);
  }
  LWLockRelease(shared->lock);
}

// Ends the process, unless it has just been woken.
void end_if_idle(SharedState* shared, AttachmentsSlot* slot) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  const bool woken = slot->woken;
  if (!woken) slot->pid = 0;
  LWLockRelease(shared->lock);
  if (woken) return;
  ended_in_order = true;
  proc_exit(0);
}

void sleep_for(long ms) {
  const int events =
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
  if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
}

// Sleeps until something is to be done, or the process is woken.
void wait_for_work(SharedState* shared, AttachmentsSlot* slot, TimestampTz turn_began) {
  const long due = attached_work_due_ms();
  // What is due at once, but was not found, is held by somebody's transaction.
  const long nap = due < 0 ? kIdleMs : Max(Min(due, kIdleMs), kTurnMs);
  const TimestampTz began = GetCurrentTimestamp();
  if (!take_wake(shared, slot)) sleep_for(nap);
  CHECK_FOR_INTERRUPTS();
  if (take_wake(shared, slot)) {
    const long passed = TimestampDifferenceMilliseconds(turn_began, GetCurrentTimestamp());
    if (passed < kTurnMs) sleep_for(kTurnMs - passed);
  } else if (due < 0 && TimestampDifferenceExceeds(began, GetCurrentTimestamp(), kIdleMs - 1)) {
    end_if_idle(shared, slot);
  }
}

[[noreturn]] void work(SharedState* shared, AttachmentsSlot* slot) {
  MemoryContext turn_context =
      AllocSetContextCreate(TopMemoryContext, "imgpress attachments", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    QueryCancelPending = false;  // came when there was nothing to cancel
    CHECK_FOR_INTERRUPTS();
    take_wake(shared, slot);
    if (ShutdownRequestPending) proc_exit(0);
    MemoryContextSwitchTo(turn_context);
    MemoryContextReset(turn_context);
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
    const TimestampTz began = GetCurrentTimestamp();
    const WorkEnd end = do_attached_work();
    publish_trouble(shared, slot, end == WorkEnd::kFailed ? attached_work_error() : "");
    switch (end) {
      case WorkEnd::kDone:
        break;
      case WorkEnd::kNothing:
        wait_for_work(shared, slot, began);
        break;
      case WorkEnd::kNotInstalled:
        ended_in_order = true;
        proc_exit(0);
      case WorkEnd::kFailed:
        sleep_for(kPauseMs);
        break;
    }
  }
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" PGDLLEXPORT [[noreturn]] void imgpress_attachments_main(Datum);

void imgpress_attachments_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, end_at_sigterm);
  BackgroundWorkerUnblockSignals();
  // As the drainer: each transaction switches to imgpress_worker, or to the owner of a table,
  // before anybody's code runs in it.
  BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, nullptr, 0);
  SharedState* shared = shared_state();
  AttachmentsSlot* slot = enter(shared);
  if (slot == nullptr) proc_exit(0);
  pin_settings();
  // Also in triggers of the table: they can tell by it who writes.
  SetConfigOption("application_name", kAttachmentsName, PGC_SUSET, PGC_S_OVERRIDE);
  prepare_time_limits();
  PG_exception_stack = nullptr;
  if (slot->has_suspect) {
    blame_attachment(&slot->suspect);
    slot->has_suspect = false;
  }
  work(shared, slot);
}
