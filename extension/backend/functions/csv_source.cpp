#include <cstring>

#include "core/csv_feed.hpp"

#include "backend/functions/csv_source.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/compat.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
}

namespace imgpress {
namespace {

// COPY's callback has no argument, so the CSV that this backend is reading is noted here.
CsvFeed* current_feed;

int feed_copy(void* buffer, int, int maximum) {
  std::size_t count = 0;
  guard([&] {
    count = current_feed->read(static_cast<char*>(buffer), static_cast<size_t>(maximum));
  });
  return static_cast<int>(count);
}

List* copy_options(char delimiter) {
  const auto option = [](const char* name, const char* value) {
    return makeDefElem(pstrdup(name), reinterpret_cast<Node*>(makeString(pstrdup(value))), -1);
  };
  const char delimiter_text[] = {delimiter, '\0'};
  return list_make3(option("format", "csv"), option("delimiter", delimiter_text),
                    option("encoding", GetDatabaseEncodingName()));
}

int line_ends_in(char** fields, int count) {
  int ends = 0;
  for (int i = 0; i < count; ++i) {
    for (const char* c = fields[i]; c != nullptr && (c = std::strchr(c, '\n')) != nullptr; ++c) {
      ++ends;
    }
  }
  return ends;
}

void read_records(Relation any_relation, char delimiter, CsvRecordSink sink, void* arg, int* line) {
  compat::CopyFromHandle copy =
      compat::begin_copy_from(any_relation, feed_copy, copy_options(delimiter));
  char** fields = nullptr;
  int count = 0;
  while (NextCopyFromRawFields(copy, &fields, &count)) {
    CHECK_FOR_INTERRUPTS();
    sink(arg, *line, fields, count);
    *line += 1 + line_ends_in(fields, count);
  }
  EndCopyFrom(copy);
}

}  // namespace

char* read_csv(const char* text, size_t size, char delimiter, CsvRecordSink sink, void* arg,
               int* fault_line) {
  current_feed = make_in<CsvFeed>(CurrentMemoryContext, std::string_view(text, size), delimiter);
  *fault_line = 1;
  char* volatile message = nullptr;
  const MemoryContext context = CurrentMemoryContext;
  const ResourceOwner owner = CurrentResourceOwner;
  // COPY wants a relation to read for; which one does not matter to raw fields.
  Relation relation = table_open(
      get_relname_relid("products", get_namespace_oid("imgpress", false)), AccessShareLock);
  // A subtransaction, so that the parser's error can become one fault among others.
  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(context);
  PG_TRY();
  {
    read_records(relation, delimiter, sink, arg, fault_line);
    ReleaseCurrentSubTransaction();
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData* error = CopyErrorData();
    if (error->sqlerrcode != ERRCODE_BAD_COPY_FILE_FORMAT) PG_RE_THROW();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    message = error->message;
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  CurrentResourceOwner = owner;
  table_close(relation, AccessShareLock);
  return message;
}

}  // namespace imgpress
