// worker_state(): what each drainer of this cluster is doing.
#include "backend/bridge/row_sink.hpp"
#include "backend/worker/shared_state.hpp"

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_worker_state);
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
