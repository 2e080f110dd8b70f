// The presses of the cluster, and what confines them.
#include <string>
#include <vector>

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/row_sink.hpp"
#include "backend/presses/press_register.hpp"
#include "backend/presses/process_status.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "utils/array.h"
}

namespace imgpress {
namespace {

struct SeenPress {
  bool runs;
  std::int64_t memory_bytes;
  Confinement confinement;
};

// What the kernel can tell counts, and not what the press has told.
SeenPress look_at(const RegisteredPress& press) {
  const auto status = process_status(press.pid);
  const auto owner = process_status(press.owner_pid);
  if (!status || !owner || status->parent != press.owner_pid) return {};
  SeenPress seen{true, status->memory_bytes, press.confinement};
  if (!status->no_new_privs) seen.confinement.remove(Layer::kNoNewPrivs);
  // In a container all processes have filters; the press must have another one.
  if (status->seccomp_filters >= 0 && status->seccomp_filters <= owner->seccomp_filters) {
    seen.confinement.remove(Layer::kSeccomp);
  }
  return seen;
}

Datum array_of(const std::vector<std::string>* texts) {
  const auto count = static_cast<int>(texts->size());
  auto* values = static_cast<Datum*>(palloc((texts->size() + 1) * sizeof(Datum)));
  for (int i = 0; i < count; ++i) {
    values[i] = CStringGetTextDatum((*texts)[static_cast<std::size_t>(i)].c_str());
  }
  return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

void put_row(const RowSink* rows, const RegisteredPress& press) {
  SeenPress seen{};
  auto* layers = make_in<std::vector<std::string>>(CurrentMemoryContext);
  auto* open = make_in<std::vector<std::string>>(CurrentMemoryContext);
  guard([&] {
    seen = look_at(press);
    *layers = names_of_layers(seen.confinement);
    *open = left_open(seen.confinement);
  });
  if (!seen.runs) return;
  const char* database = get_database_name(press.database);
  Datum values[] = {Int32GetDatum(press.pid),
                    CStringGetTextDatum(press.is_fetcher ? "fetcher" : "codec"),
                    database != nullptr ? CStringGetTextDatum(database) : 0,
                    CStringGetTextDatum(press.owner_is_worker ? "worker" : "session"),
                    Int32GetDatum(press.owner_pid),
                    ObjectIdGetDatum(press.owner_role),
                    TimestampTzGetDatum(press.started_at),
                    Int64GetDatum(seen.memory_bytes),
                    array_of(layers),
                    array_of(open)};
  bool nulls[] = {false,
                  false,
                  database == nullptr,
                  false,
                  false,
                  false,
                  false,
                  false,
                  !press.is_confined,
                  !press.is_confined};
  static_assert(lengthof(values) == lengthof(nulls));
  tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_press_state);
}

Datum imgpress_press_state(PG_FUNCTION_ARGS) {
  const RowSink* rows = open_rows(fcinfo);
  const int most = press_register_size();
  auto* presses =
      static_cast<RegisteredPress*>(palloc(static_cast<Size>(most) * sizeof(RegisteredPress)));
  const int count = read_press_register(presses, most);
  for (int i = 0; i < count; ++i) put_row(rows, presses[i]);
  return (Datum)0;
}
