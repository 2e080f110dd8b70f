#include "backend/attach_worker/attachments_process.hpp"

#include "backend/attach_worker/attached_work.hpp"
#include "backend/worker/shared_state.hpp"

namespace imgpress {
namespace {

// For what nobody announces: a transaction that was prepared, a partition that was attached.
constexpr long kLookMs = 60L * 1000;
constexpr long kStartPauseMs = 1000;
constexpr long kNoSlotPauseMs = 5L * 1000;

BackgroundWorker description() {
  BackgroundWorker worker;
  MemSet(&worker, 0, sizeof(worker));
  snprintf(worker.bgw_name, BGW_MAXLEN, "%s %s", kAttachmentsName, MyBgworkerEntry->bgw_extra);
  strlcpy(worker.bgw_type, kAttachmentsName, BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;  // the drainer restarts it
  strlcpy(worker.bgw_library_name, "imgpress", sizeof(worker.bgw_library_name));
  strlcpy(worker.bgw_function_name, "imgpress_attachments_main", BGW_MAXLEN);
  strlcpy(worker.bgw_extra, MyBgworkerEntry->bgw_extra, BGW_EXTRALEN);
  worker.bgw_notify_pid = MyProcPid;
  return worker;
}

}  // namespace

// Whether the process is needed; also learns how the one that runs fares.
bool AttachmentsStarter::take_wanted() {
  SharedState* shared = shared_state();
  bool wanted = false;
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  for (DrainerSlot& slot : shared->drainers) {
    if (slot.database != MyDatabaseId || slot.pid != MyProcPid) continue;
    wanted = slot.attachments_wanted;
    slot.attachments_wanted = false;
  }
  const AttachmentsSlot* running = find_attachments(shared, MyDatabaseId);
  if (running != nullptr) strlcpy(trouble_, running->trouble, sizeof(trouble_));
  LWLockRelease(shared->lock);
  return wanted;
}

// Also one that an earlier drainer has started.
bool AttachmentsStarter::process_runs() {
  pid_t pid = 0;
  if (handle_ != nullptr && GetBackgroundWorkerPid(handle_, &pid) != BGWH_STOPPED) return true;
  if (handle_ != nullptr) pfree(handle_);
  handle_ = nullptr;
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_SHARED);
  const bool runs = find_attachments(shared, MyDatabaseId) != nullptr;
  LWLockRelease(shared->lock);
  return runs;
}

void AttachmentsStarter::start() {
  BackgroundWorker worker = description();
  const MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
  const bool registered = RegisterDynamicBackgroundWorker(&worker, &handle_);
  MemoryContextSwitchTo(before);
  if (registered) {
    trouble_[0] = '\0';
    wanted_ = false;
    try_at_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kStartPauseMs);
    return;
  }
  handle_ = nullptr;
  strlcpy(trouble_,
          "attached tables are neither read nor written, since no background worker slot is free: "
          "raise max_worker_processes and restart PostgreSQL",
          sizeof(trouble_));
  try_at_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kNoSlotPauseMs);
}

void AttachmentsStarter::tend() {
  wanted_ = take_wanted() || wanted_;
  const TimestampTz now = GetCurrentTimestamp();
  if (!wanted_ && !TimestampDifferenceExceeds(looked_at_, now, kLookMs)) return;
  if (try_at_ > now || process_runs()) return;
  if (!wanted_) {
    looked_at_ = now;
    wanted_ = attached_tables_have_work();
  }
  if (wanted_) start();
}

long AttachmentsStarter::due_ms() const {
  if (!wanted_) return -1;
  return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), try_at_);
}

void end_attachments_process() {
  SharedState* shared = shared_state();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  AttachmentsSlot* running = find_attachments(shared, MyDatabaseId);
  if (running != nullptr) {
    running->told_to_end = true;
    SetLatch(&ProcGlobal->allProcs[running->proc_number].procLatch);
  }
  LWLockRelease(shared->lock);
}

}  // namespace imgpress
