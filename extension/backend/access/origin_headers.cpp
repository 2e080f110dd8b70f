#include "backend/access/origin_headers.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

namespace imgpress {
namespace {

// Not for the code of a SECURITY DEFINER function that the caller calls: its owner, who gets to see
// the picture, may not be one of those who may use the header.
constexpr const char* kStatement =
    "SELECT CASE WHEN $2 OPERATOR(pg_catalog.=) imgpress_internal.caller() "
    "OR $2 OPERATOR(pg_catalog.=) 'imgpress_owner' "
    "THEN imgpress_internal.origin_headers_for($1, imgpress_internal.caller()) END AS headers "
    "WHERE imgpress_internal.has_origin_headers()";

// The owner of imgpress; InvalidOid where version 0.1.0 of the extension is installed still.
Oid owner_of_headers() {
  const Oid schema = get_namespace_oid("imgpress_internal", true);
  if (!OidIsValid(schema)) return InvalidOid;
  if (!OidIsValid(get_relname_relid("origin_headers", schema))) return InvalidOid;
  return get_role_oid("imgpress_owner", true);
}

Lines read_headers(const char* url, Oid user, MemoryContext result) {
  Oid types[] = {TEXTOID, NAMEOID};
  Datum values[] = {CStringGetTextDatum(url),
                    DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(user, false)))};
  Lines lines{nullptr, nullptr};
  SPI_connect();
  if (SPI_execute_with_args(kStatement, 2, types, values, nullptr, true, 1) != SPI_OK_SELECT) {
    elog(ERROR, "imgpress: cannot read the headers of origins");
  }
  const MemoryContext own = MemoryContextSwitchTo(result);
  if (SPI_processed > 0) lines = lines_of(Row::of_result(0), "headers");
  MemoryContextSwitchTo(own);
  SPI_finish();
  return lines;
}

}  // namespace

// After an error PostgreSQL switches the user back by itself.
Lines session_headers(const char* url) {
  const Oid owner = owner_of_headers();
  if (!OidIsValid(owner)) return {nullptr, nullptr};
  Oid user = InvalidOid;
  int context = 0;
  GetUserIdAndSecContext(&user, &context);
  // PostgreSQL itself has switched to the owner of a table: who calls cannot be said.
  if ((context & (SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS)) != 0) {
    return {nullptr, nullptr};
  }
  SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
  const Lines lines = read_headers(url, user, CurrentMemoryContext);
  SetUserIdAndSecContext(user, context);
  return lines;
}

}  // namespace imgpress
