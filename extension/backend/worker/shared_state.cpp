#include "backend/worker/shared_state.hpp"

#include <utility>

#include "backend/presses/press_register.hpp"

extern "C" {
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "utils/resowner.h"
}

namespace imgpress {
namespace {

SharedState* state = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;

constexpr const char* kTranche = "imgpress";

bool wake_at_commit = false;
bool wake_attachments_at_commit = false;
bool callback_registered = false;

// Runs at the very end of a transaction: by now other processes have been sent the invalidations of
// their catalogue caches, so that a drainer finds an extension that was just created. After PREPARE
// TRANSACTION the drainer notices the later COMMIT PREPARED only when it next polls.
void at_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void*) {
  if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level) return;
  const bool drainer = std::exchange(wake_at_commit, false);
  const bool attachments = std::exchange(wake_attachments_at_commit, false);
  if (!is_commit) return;
  if (attachments) wake_attachments_now();
  if (!drainer) return;
  wake_drainer_now();
  wake_waiters_now();
}

void expect_commit() {
  if (!callback_registered) {
    RegisterResourceReleaseCallback(at_release, nullptr);
    callback_registered = true;
  }
}

// As the control file of this server says while it starts.
bool was_shut_down() {
  bool intact = false;
  ControlFileData* control = get_controlfile(DataDir, &intact);
  const DBState last = control->state;
  pfree(control);
  return intact && (last == DB_SHUTDOWNED || last == DB_SHUTDOWNED_IN_RECOVERY);
}

void request_memory() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
  RequestNamedLWLockTranche(kTranche, 1);
  request_press_register();
}

void start_up() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  bool found = false;
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  state = static_cast<SharedState*>(ShmemInitStruct("imgpress", sizeof(SharedState), &found));
  if (!found) {
    MemSet(state, 0, sizeof(SharedState));
    state->lock = &GetNamedLWLockTranche(kTranche)->lock;
    state->launcher_proc_number = -1;
    state->crashed = !was_shut_down();
    ConditionVariableInit(&state->request_ended);
  }
  create_press_register();
  LWLockRelease(AddinShmemInitLock);
}

}  // namespace

SharedState* shared_state() {
  return state;
}

void request_shared_state() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = request_memory;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = start_up;
}

DrainerSlot* find_drainer(SharedState* shared, const char* database) {
  for (DrainerSlot& slot : shared->drainers) {
    if (OidIsValid(slot.database) && strcmp(NameStr(slot.name), database) == 0) return &slot;
  }
  return nullptr;
}

AttachmentsSlot* find_attachments(SharedState* shared, Oid database) {
  for (AttachmentsSlot& slot : shared->attachments) {
    if (slot.database == database && slot.pid != 0) return &slot;
  }
  return nullptr;
}

bool earlier_worker_was_killed() {
  LWLockAcquire(state->lock, LW_SHARED);
  bool killed = state->crashed;
  for (int i = 0; i < state->rescued_count; ++i) {
    if (state->rescued[i] == MyDatabaseId) killed = false;
  }
  LWLockRelease(state->lock);
  return killed;
}

void note_rescue() {
  if (!earlier_worker_was_killed()) return;
  LWLockAcquire(state->lock, LW_EXCLUSIVE);
  if (state->rescued_count == kMaxDatabases) state->rescued_count = 0;
  state->rescued[state->rescued_count++] = MyDatabaseId;
  LWLockRelease(state->lock);
}

void wake_launcher_now() {
  if (state == nullptr) return;
  LWLockAcquire(state->lock, LW_EXCLUSIVE);
  state->launch_now = true;
  const int launcher = state->launcher_proc_number;
  if (launcher >= 0) SetLatch(&ProcGlobal->allProcs[launcher].procLatch);
  LWLockRelease(state->lock);
}

void wake_drainer_now() {
  if (state == nullptr) return;
  LWLockAcquire(state->lock, LW_EXCLUSIVE);
  int target = state->launcher_proc_number;
  bool drained = false;
  for (DrainerSlot& slot : state->drainers) {
    if (slot.database != MyDatabaseId) continue;
    target = slot.proc_number;
    slot.woken = true;
    drained = true;
  }
  if (!drained) state->launch_now = true;
  if (target >= 0) SetLatch(&ProcGlobal->allProcs[target].procLatch);
  LWLockRelease(state->lock);
}

void wake_waiters_now() {
  if (state != nullptr) ConditionVariableBroadcast(&state->request_ended);
}

void wake_attachments_now() {
  if (state == nullptr) return;
  LWLockAcquire(state->lock, LW_EXCLUSIVE);
  int target = state->launcher_proc_number;
  AttachmentsSlot* running = find_attachments(state, MyDatabaseId);
  bool found = running != nullptr;
  if (found) {
    target = running->proc_number;
    running->woken = true;
  }
  for (DrainerSlot& slot : state->drainers) {
    if (found || slot.database != MyDatabaseId) continue;
    target = slot.proc_number;
    slot.attachments_wanted = true;
    found = true;
  }
  if (!found) state->launch_now = true;  // a drainer that starts looks for attached tables
  if (target >= 0) SetLatch(&ProcGlobal->allProcs[target].procLatch);
  LWLockRelease(state->lock);
}

void wake_when_committed() {
  expect_commit();
  wake_at_commit = true;
}

void wake_attachments_when_committed() {
  expect_commit();
  wake_attachments_at_commit = true;
}

}  // namespace imgpress
