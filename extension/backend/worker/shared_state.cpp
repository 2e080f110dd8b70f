#include "backend/worker/shared_state.hpp"

#include "backend/presses/press_register.hpp"

extern "C" {
#include "utils/resowner.h"
}

namespace imgpress {
namespace {

SharedState* state = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;

constexpr const char* kTranche = "imgpress";

bool wake_at_commit = false;
bool callback_registered = false;

// Runs at the very end of a transaction: by now other processes have been sent the invalidations of
// their catalogue caches, so that a drainer finds an extension that was just created. After PREPARE
// TRANSACTION the drainer notices the later COMMIT PREPARED only when it next polls.
void at_release(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void*) {
  if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || !wake_at_commit) return;
  wake_at_commit = false;
  if (!is_commit) return;
  wake_drainer_now();
  wake_waiters_now();
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

void wake_when_committed() {
  if (!callback_registered) {
    RegisterResourceReleaseCallback(at_release, nullptr);
    callback_registered = true;
  }
  wake_at_commit = true;
}

}  // namespace imgpress
