#include "backend/worker/shared_state.hpp"

namespace imgpress {
namespace {

SharedState* state = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;

constexpr const char* kTranche = "imgpress";

void request_memory() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
  RequestNamedLWLockTranche(kTranche, 1);
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

}  // namespace imgpress
