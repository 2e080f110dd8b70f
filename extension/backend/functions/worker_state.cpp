// The worker of each listed database, or why it has none; and whether the cluster is set up.
#include "backend/bridge/row_sink.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/varlena.h"
}

namespace imgpress {
namespace {

const char* word_for(const DrainerSlot& slot) {
  switch (slot.standstill.obstacle) {
    case Obstacle::kStarting:
      return "starting";
    case Obstacle::kNoExtension:
      return "no extension";
    case Obstacle::kNoDatabase:
      return "no such database";
    case Obstacle::kCannotStart:
      return "cannot start";
    case Obstacle::kNone:
      break;
  }
  if (slot.standstill.reason[0] != '\0') return "failing";
  return slot.fetching + slot.waiting + slot.compressing > 0 ? "working" : "idle";
}

// A text that another database has written, whose encoding may be another one.
Datum text_of(const char* written) {
  char* text = pstrdup(written);
  if (!pg_verifymbstr(text, static_cast<int>(strlen(text)), true)) {
    for (char* at = text; *at != '\0'; ++at) {
      if (IS_HIGHBIT_SET(*at)) *at = '?';
    }
  }
  return CStringGetTextDatum(text);
}

// The slot's database is InvalidOid if no worker runs.
void put_row(const RowSink* rows, const DrainerSlot& slot) {
  const bool runs = OidIsValid(slot.database);
  const Standstill& standstill = slot.standstill;
  Datum values[] = {text_of(NameStr(slot.name)),
                    Int32GetDatum(slot.pid),
                    CStringGetTextDatum(word_for(slot)),
                    text_of(standstill.reason),
                    TimestampTzGetDatum(standstill.next_try),
                    TimestampTzGetDatum(slot.started_at),
                    Int32GetDatum(slot.fetching),
                    Int32GetDatum(slot.waiting),
                    Int32GetDatum(slot.compressing),
                    Int64GetDatum(static_cast<int64>(slot.finished))};
  bool nulls[] = {
      false, !runs, false, standstill.reason[0] == '\0', standstill.next_try == 0, !runs, !runs,
      !runs, !runs, !runs};
  static_assert(lengthof(values) == lengthof(nulls));
  tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}

const DrainerSlot* find_slot(const SharedState& shared, const char* database) {
  for (const DrainerSlot& slot : shared.drainers) {
    if (OidIsValid(slot.database) && strcmp(NameStr(slot.name), database) == 0) return &slot;
  }
  return nullptr;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_worker_state);
PG_FUNCTION_INFO_V1(imgpress_is_preloaded);
PG_FUNCTION_INFO_V1(imgpress_list_names);
}

Datum imgpress_worker_state(PG_FUNCTION_ARGS) {
  const RowSink* rows = open_rows(fcinfo);
  if (shared_state() == nullptr) return (Datum)0;
  auto* shared = static_cast<SharedState*>(palloc(sizeof(SharedState)));
  LWLockAcquire(shared_state()->lock, LW_SHARED);
  memcpy(shared, shared_state(), sizeof(SharedState));
  LWLockRelease(shared_state()->lock);
  for (int i = 0; i < shared->listed_count; ++i) {
    const ListedDatabase& listed = shared->listed[i];
    if (find_slot(*shared, NameStr(listed.name)) != nullptr) continue;
    DrainerSlot nobody{};
    nobody.name = listed.name;
    nobody.standstill = listed.standstill;
    put_row(rows, nobody);
  }
  for (const DrainerSlot& slot : shared->drainers) {
    if (OidIsValid(slot.database)) put_row(rows, slot);
  }
  return (Datum)0;
}

Datum imgpress_is_preloaded(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_BOOL(shared_state() != nullptr);
}

Datum imgpress_list_names(PG_FUNCTION_ARGS) {
  List* names = NIL;
  const char* wanted = text_to_cstring(PG_GETARG_TEXT_PP(1));
  if (!SplitGUCList(text_to_cstring(PG_GETARG_TEXT_PP(0)), ',', &names)) PG_RETURN_BOOL(false);
  ListCell* cell = nullptr;
  foreach (cell, names) {
    if (strcmp(static_cast<const char*>(lfirst(cell)), wanted) == 0) PG_RETURN_BOOL(true);
  }
  PG_RETURN_BOOL(false);
}
