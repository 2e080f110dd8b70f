// What the triggers of attached tables read of imgpress's own tables: directly, because a query
// with the rights of imgpress_owner would cost a statement of one row more than all the rest.
#pragma once

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "utils/rel.h"
}

namespace imgpress {

// A table of imgpress_internal.
Oid internal_table(const char* name);
// A column that is always there.
AttrNumber column_number(Oid table, const char* name);

// The numbers that the key columns of an attachment have in `table`, which is its table or one of
// its partitions. Any other table is an error: whoever owns a table can create a trigger on it that
// names the attachment of somebody else.
struct KeyColumns {
  int count;
  AttrNumber numbers[INDEX_MAX_KEYS];
};
KeyColumns key_columns(const pg_uuid_t* attachment, Relation table, const char* trigger);

}  // namespace imgpress
