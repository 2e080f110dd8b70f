// What DROP EXTENSION imgpress takes along.
#include "backend/worker/extension_drop.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

namespace imgpress {
namespace {

// Only if this version has made the tables. No operators, which a session's search_path could
// replace.
constexpr const char* kOutputs =
    "SELECT pg_catalog.sum(r.succeeded_count), pg_catalog.pg_size_pretty("
    "pg_catalog.sum(r.output_bytes)) FROM imgpress.processing_requests r "
    "HAVING EXISTS (SELECT FROM imgpress.outputs)";

bool drops_imgpress(const Node* statement) {
  if (!IsA(statement, DropStmt)) return false;
  const auto* drop = reinterpret_cast<const DropStmt*>(statement);
  if (drop->removeType != OBJECT_EXTENSION) return false;
  ListCell* cell = nullptr;
  foreach (cell, drop->objects) {
    if (strcmp(strVal(lfirst(cell)), "imgpress") == 0) return true;
  }
  return false;
}

bool has_outputs_table() {
  const Oid schema = get_namespace_oid("imgpress", true);
  return OidIsValid(schema) && OidIsValid(get_relname_relid("outputs", schema)) &&
         get_attnum(get_relname_relid("processing_requests", schema), "succeeded_count") !=
             InvalidAttrNumber;
}

}  // namespace

void tell_what_goes_with_extension(const Node* statement) {
  // Others may not drop it; the command says so.
  if (!drops_imgpress(statement) || !superuser() || !has_outputs_table()) return;
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
  if (SPI_execute(kOutputs, true, 1) == SPI_OK_SELECT && SPI_processed == 1) {
    const HeapTuple row = SPI_tuptable->vals[0];
    const char* count = SPI_getvalue(row, SPI_tuptable->tupdesc, 1);
    const char* size = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
    ereport(
        NOTICE,
        (errmsg("with extension imgpress go its outputs: %s images of %s altogether", count, size),
         errhint("To keep them, ROLLBACK if this is part of a transaction, and export them "
                 "first: CREATE TABLE my_outputs AS SELECT r.*, o.bytes FROM imgpress.results "
                 "r, imgpress.output_image(r.request_id, r.image_no) o")));
  }
  PopActiveSnapshot();
  SPI_finish();
}

}  // namespace imgpress
