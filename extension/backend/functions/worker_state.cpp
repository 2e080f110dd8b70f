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
                    Int64GetDatum(static_cast<int64>(slot.finished)),
                    Int64GetDatum(static_cast<int64>(slot.memory)),
                    Int64GetDatum(static_cast<int64>(slot.memory_limit))};
  bool nulls[] = {false,
                  !runs,
                  false,
                  standstill.reason[0] == '\0',
                  standstill.next_try == 0,
                  !runs,
                  !runs,
                  !runs,
                  !runs,
                  !runs,
                  !runs,
                  slot.memory_limit == 0};
  static_assert(lengthof(values) == lengthof(nulls));
  tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}

// Copies the rows of this database, or of all if it is nullptr. The lock is held for no longer.
int copy_rows(SharedState* shared, const char* database, DrainerSlot* rows) {
  const auto wanted = [&](const NameData& name) {
    return database == nullptr || strcmp(NameStr(name), database) == 0;
  };
  int count = 0;
  LWLockAcquire(shared->lock, LW_SHARED);
  for (int i = 0; i < shared->listed_count; ++i) {
    const ListedDatabase& listed = shared->listed[i];
    if (!wanted(listed.name) || find_drainer(shared, NameStr(listed.name)) != nullptr) continue;
    rows[count] = {};
    rows[count].name = listed.name;
    rows[count].standstill = listed.standstill;
    ++count;
  }
  for (const DrainerSlot& slot : shared->drainers) {
    if (OidIsValid(slot.database) && wanted(slot.name)) rows[count++] = slot;
  }
  LWLockRelease(shared->lock);
  return count;
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
  // In version 0.1.0 the function has no argument.
  const bool of_one = PG_NARGS() > 0 && !PG_ARGISNULL(0);
  const char* database = of_one ? text_to_cstring(PG_GETARG_TEXT_PP(0)) : nullptr;
  auto* found = static_cast<DrainerSlot*>(palloc(sizeof(DrainerSlot) * 2 * kMaxDatabases));
  const int count = copy_rows(shared_state(), database, found);
  for (int i = 0; i < count; ++i) put_row(rows, found[i]);
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
