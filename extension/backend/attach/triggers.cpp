// attachment_trigger(): notes which rows of an attached table have changed.
#include "backend/attach/catalogue.hpp"
#include "backend/attach/key_queue.hpp"
#include "backend/attach/key_text.hpp"

extern "C" {
#include "commands/trigger.h"
#include "utils/hsearch.h"
}

namespace imgpress {
namespace {

// What a trigger needs for each row, found out at its first row in a transaction.
struct Source {
  Oid trigger;           // the key; each partition has triggers of its own
  const char* argument;  // CREATE OR REPLACE TRIGGER may change it, and keeps the oid
  KeyQueue* queue;
  KeyFormat* format;
};

HTAB* sources = nullptr;  // until the transaction ends

void open_sources(MemoryContext memory) {
  HASHCTL control{};
  control.keysize = sizeof(Oid);
  control.entrysize = sizeof(Source);
  control.hcxt = memory;
  sources =
      hash_create("imgpress attached tables", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  auto* at_end = static_cast<MemoryContextCallback*>(
      MemoryContextAlloc(memory, sizeof(MemoryContextCallback)));
  at_end->func = [](void*) { sources = nullptr; };
  at_end->arg = nullptr;
  MemoryContextRegisterResetCallback(memory, at_end);
}

Source* find_source(const TriggerData* call) {
  const Trigger* trigger = call->tg_trigger;
  MemoryContext memory = attach_memory();
  if (sources == nullptr) open_sources(memory);
  auto* source = static_cast<Source*>(hash_search(sources, &trigger->tgoid, HASH_FIND, nullptr));
  const char* argument = trigger->tgargs[0];
  if (source != nullptr && strcmp(source->argument, argument) == 0) return source;
  const pg_uuid_t* id =
      DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(const_cast<char*>(argument))));
  const KeyColumns key = key_columns(id, call->tg_relation, trigger->tgname);
  Source found{};
  found.trigger = trigger->tgoid;
  found.argument = MemoryContextStrdup(memory, argument);
  found.queue = key_queue(id);
  found.format = key_format(RelationGetDescr(call->tg_relation), key.numbers, key.count, memory);
  source = static_cast<Source*>(hash_search(sources, &trigger->tgoid, HASH_ENTER, nullptr));
  *source = found;
  return source;
}

void note_row(const TriggerData* call) {
  Source* source = find_source(call);
  queue_key(source->queue, key_text(source->format, call->tg_trigslot));
  // A row that has got another key: the old one is gone.
  if (TRIGGER_FIRED_BY_UPDATE(call->tg_event) &&
      !same_key(source->format, call->tg_trigslot, call->tg_newslot)) {
    queue_key(source->queue, key_text(source->format, call->tg_newslot));
  }
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_attachment_trigger);
}

Datum imgpress_attachment_trigger(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_TRIGGER(fcinfo)) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("attachment_trigger() can only be called as a trigger"),
                    errhint("imgpress.attach() creates its triggers.")));
  }
  const auto* call = reinterpret_cast<const TriggerData*>(fcinfo->context);
  const bool for_row = TRIGGER_FIRED_FOR_ROW(call->tg_event);
  if (call->tg_trigger->tgnargs != 1 || !TRIGGER_FIRED_AFTER(call->tg_event) ||
      (!for_row && !TRIGGER_FIRED_BY_TRUNCATE(call->tg_event))) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("trigger \"%s\" is not one that imgpress.attach() creates",
                           call->tg_trigger->tgname),
                    errhint("Drop it, and call imgpress.attach().")));
  }
  if (for_row) {
    note_row(call);
  } else {
    queue_whole_table(find_source(call)->queue);
  }
  PG_RETURN_POINTER(nullptr);
}
