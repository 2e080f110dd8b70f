// What the worker of this database has learnt about hosts.
#include "backend/bridge/row_sink.hpp"
#include "backend/worker/shared_state.hpp"

namespace imgpress {
namespace {

// The lock is held for no longer.
void copy_slots(SharedState* shared, HostSlots* copy) {
  LWLockAcquire(shared->lock, LW_SHARED);
  for (int i = 0; i < kMaxDatabases; ++i) {
    if (shared->drainers[i].database == MyDatabaseId) *copy = shared->host_states[i];
  }
  LWLockRelease(shared->lock);
}

void put_row(const RowSink* rows, const HostSlot& slot) {
  Datum values[] = {CStringGetTextDatum(slot.host),
                    Int32GetDatum(slot.connections),
                    Int32GetDatum(slot.allowed),
                    Int32GetDatum(slot.waiting),
                    Float8GetDatum(slot.starts_per_second),
                    TimestampTzGetDatum(slot.paused_until),
                    CStringGetTextDatum(slot.last_error)};
  bool nulls[] = {
      false, false, false, false, false, slot.paused_until == 0, slot.last_error[0] == '\0'};
  static_assert(lengthof(values) == lengthof(nulls));
  tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_host_state);
}

Datum imgpress_host_state(PG_FUNCTION_ARGS) {
  const RowSink* rows = open_rows(fcinfo);
  if (shared_state() == nullptr) return (Datum)0;
  auto* found = static_cast<HostSlots*>(palloc0(sizeof(HostSlots)));
  copy_slots(shared_state(), found);
  for (int i = 0; i < found->count; ++i) put_row(rows, found->hosts[i]);
  return (Datum)0;
}
