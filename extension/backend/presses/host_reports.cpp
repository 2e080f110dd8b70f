#include "backend/presses/host_reports.hpp"

namespace imgpress {
namespace {

static_assert(kHostsOfADatabase == kReportedHosts);

void copy_host(const HostState& state, TimestampTz now, HostSlot* slot) {
  strlcpy(slot->host, state.host.c_str(), sizeof(slot->host));
  slot->connections = static_cast<int>(state.connections);
  slot->waiting = static_cast<int>(state.waiting);
  slot->allowed = static_cast<int>(state.allowed);
  slot->starts_per_second = state.starts_per_1000_s / 1000.0;
  slot->paused_until = state.pause_s == 0 ? 0 : now + state.pause_s * USECS_PER_SEC;
  strlcpy(slot->last_error, state.last_error.c_str(), sizeof(slot->last_error));
}

}  // namespace

void publish_hosts(SharedState* shared, HostSlots* slots, const PressPipeline& pipeline) {
  static uint64 published = 0;
  if (published == pipeline.host_report()) return;
  published = pipeline.host_report();
  const TimestampTz now = GetCurrentTimestamp();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  slots->count = 0;
  for (const HostState& state : pipeline.host_states()) {
    copy_host(state, now, &slots->hosts[slots->count++]);
  }
  LWLockRelease(shared->lock);
}

}  // namespace imgpress
