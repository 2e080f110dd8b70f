// The key of a row as text: the same for the same key, whatever the settings of the session are.
#pragma once

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace imgpress {

struct KeyColumn {
  AttrNumber number;
  bool by_value;
  int16 length;
  FmgrInfo output;
};

struct KeyFormat {
  int count;
  KeyColumn* columns;
  FmgrInfo array_output;  // of several columns
};

// Allocated in `memory`, which outlives the format.
KeyFormat* key_format(TupleDesc descriptor, const AttrNumber* numbers, int count,
                      MemoryContext memory);

const char* key_text(KeyFormat* format, TupleTableSlot* row);
bool same_key(const KeyFormat* format, TupleTableSlot* one, TupleTableSlot* other);

}  // namespace imgpress
