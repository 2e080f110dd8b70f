// The keys of changed rows of attached tables: collected in memory while a transaction runs, and
// appended to imgpress_internal.attached_keys in portions, at the latest when it commits.
//
// PostgreSQL zone. Keys of a subtransaction that aborts go with it. A portion is written at the
// level of the subtransaction whose rows it is about, so that it has the same fate as they.
#pragma once

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

struct KeyQueue;  // that of one attachment, until the end of the transaction

// Memory that lasts until the end of the transaction, also if a subtransaction aborts.
MemoryContext attach_memory();

KeyQueue* key_queue(const pg_uuid_t* attachment);

void queue_key(KeyQueue* queue, const char* key);

// In the place of keys: all rows of the table are to be looked at.
void queue_whole_table(KeyQueue* queue);

}  // namespace imgpress
