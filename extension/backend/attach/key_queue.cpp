#include "backend/attach/key_queue.hpp"

#include "backend/attach/catalogue.hpp"
#include "backend/worker/shared_state.hpp"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/rel.h"
}

namespace imgpress {
namespace {

constexpr int kKeysAtOnce = 10000;
constexpr Size kBytesAtOnce = 1 << 20;
constexpr Size kFirstCapacity = 512;
constexpr Size kOverhead = ARR_OVERHEAD_NONULLS(1);

// Keys of one level of subtransactions: a text[] that grows, as it is stored.
struct Level {
  Level* outer;
  int nesting;
  int count;
  Size used;  // with the array's header
  Size capacity;
  char* array;
};

}  // namespace

struct KeyQueue {
  KeyQueue* next;
  pg_uuid_t attachment;
  Level* innermost;
};

namespace {

bool callbacks_registered = false;
MemoryContext memory = nullptr;  // nullptr: this transaction has touched no attached table
KeyQueue* queues = nullptr;

void reserve(Level* level, Size size) {
  if (level->used + size <= level->capacity) return;
  while (level->capacity < level->used + size) level->capacity *= 2;
  level->array = static_cast<char*>(repalloc(level->array, level->capacity));
}

Level* open_level(KeyQueue* queue, int nesting) {
  Level* level = queue->innermost;
  if (level != nullptr && level->nesting == nesting) return level;
  level = static_cast<Level*>(MemoryContextAlloc(memory, sizeof(Level)));
  *level = {queue->innermost, nesting, 0, kOverhead, kFirstCapacity, nullptr};
  level->array = static_cast<char*>(MemoryContextAllocZero(memory, kFirstCapacity));
  queue->innermost = level;
  return level;
}

void close_level(KeyQueue* queue) {
  Level* level = queue->innermost;
  queue->innermost = level->outer;
  pfree(level->array);
  pfree(level);
}

void append(const KeyQueue* queue, Datum keys, bool is_null) {
  Relation table = table_open(internal_table("attached_keys"), RowExclusiveLock);
  TupleTableSlot* slot =
      MakeSingleTupleTableSlot(RelationGetDescr(table), table_slot_callbacks(table));
  ExecClearTuple(slot);
  memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
  const auto set = [&](const char* column, Datum value, bool null) {
    const int at = column_number(RelationGetRelid(table), column) - 1;
    slot->tts_values[at] = value;
    slot->tts_isnull[at] = null;
  };
  set("attachment_id", UUIDPGetDatum(&queue->attachment), false);
  set("queued_at", TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), false);
  set("keys", keys, is_null);
  ExecStoreVirtualTuple(slot);
  simple_table_tuple_insert(table, slot);
  ExecDropSingleTupleTableSlot(slot);
  table_close(table, NoLock);
  wake_attachments_when_committed();
}

void write_out(KeyQueue* queue) {
  Level* level = queue->innermost;
  auto* array = reinterpret_cast<ArrayType*>(level->array);
  SET_VARSIZE(array, level->used);
  array->ndim = 1;
  array->dataoffset = 0;
  array->elemtype = TEXTOID;
  ARR_DIMS(array)[0] = level->count;
  ARR_LBOUND(array)[0] = 1;
  append(queue, PointerGetDatum(array), false);
  level->count = 0;
  level->used = kOverhead;
}

// The subtransaction has become a part of the one around it.
void merge_into_outer(KeyQueue* queue) {
  Level* level = queue->innermost;
  if (level->outer == nullptr || level->outer->nesting < level->nesting - 1) {
    level->nesting--;
    return;
  }
  Level* outer = level->outer;
  const Size size = level->used - kOverhead;
  reserve(outer, size);
  memcpy(outer->array + outer->used, level->array + kOverhead, size);
  outer->used += size;
  outer->count += level->count;
  close_level(queue);
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (memory == nullptr) return;
  if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB) return;
  const int nesting = GetCurrentTransactionNestLevel();
  for (KeyQueue* queue = queues; queue != nullptr; queue = queue->next) {
    if (queue->innermost == nullptr || queue->innermost->nesting < nesting) continue;
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
      merge_into_outer(queue);
    } else {
      close_level(queue);
    }
  }
}

void at_transaction_end(XactEvent event, void*) {
  if (memory == nullptr) return;
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      for (KeyQueue* queue = queues; queue != nullptr; queue = queue->next) {
        if (queue->innermost != nullptr && queue->innermost->count > 0) write_out(queue);
      }
      break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
      memory = nullptr;  // a child of the transaction's own context, and goes with it
      queues = nullptr;
      break;
    default:
      break;
  }
}

}  // namespace

MemoryContext attach_memory() {
  if (!callbacks_registered) {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
    callbacks_registered = true;
  }
  if (memory == nullptr) {
    memory = AllocSetContextCreate(TopTransactionContext, "imgpress attached keys",
                                   ALLOCSET_SMALL_SIZES);
  }
  return memory;
}

KeyQueue* key_queue(const pg_uuid_t* attachment) {
  for (KeyQueue* queue = queues; queue != nullptr; queue = queue->next) {
    if (memcmp(&queue->attachment, attachment, sizeof(*attachment)) == 0) return queue;
  }
  auto* queue = static_cast<KeyQueue*>(MemoryContextAlloc(attach_memory(), sizeof(KeyQueue)));
  *queue = {queues, *attachment, nullptr};
  queues = queue;
  return queue;
}

void queue_key(KeyQueue* queue, const char* key) {
  Level* level = open_level(queue, GetCurrentTransactionNestLevel());
  const Size length = VARHDRSZ + strlen(key);
  const Size aligned = INTALIGN(length);
  reserve(level, aligned);
  char* element = level->array + level->used;
  memset(element + length, 0, aligned - length);
  SET_VARSIZE(element, length);
  memcpy(VARDATA(element), key, length - VARHDRSZ);
  level->used += aligned;
  level->count++;
  if (level->count >= kKeysAtOnce || level->used >= kBytesAtOnce) write_out(queue);
}

void queue_whole_table(KeyQueue* queue) {
  append(queue, (Datum)0, true);
}

}  // namespace imgpress
