// act_for_key(): checks the key of a REST request and acts for its owner. It is in C because it is
// a part of every answer: as SQL functions that call each other it took longer than the answer
// itself.
#include "backend/bridge/postgres_api.hpp"
#include "backend/bridge/row_sink.hpp"
#include "backend/access/caller.hpp"
#include "backend/access/secrets.hpp"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "utils/acl.h"
}

namespace imgpress {
namespace {

// What a key may be for, and the role whose rights its owner needs for that.
struct Scope {
  const char* name;
  const char* role;
};
constexpr Scope kScopes[] = {
    {"submit", "imgpress_user"},   {"read", "imgpress_reader"},   {"manage", "imgpress_user"},
    {"compress", "imgpress_user"}, {"operate", "imgpress_admin"}, {"metrics", "imgpress_admin"},
};

constexpr const char* kUnauthorized = "unauthorized";
constexpr const char* kForbidden = "forbidden";

constexpr const char* kAnyKey = "SELECT FROM imgpress_internal.keys LIMIT 1";
constexpr const char* kFindKey =
    "SELECT k.owner, k.hash, "
    "CASE WHEN k.previous_expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp() "
    "THEN k.previous_hash END, "
    "k.scopes OPERATOR(pg_catalog.@>) ARRAY[$2]::pg_catalog.text[], "
    "k.last_used_at OPERATOR(pg_catalog.>) "
    "(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '1 minute'::pg_catalog.interval) "
    "FROM imgpress_internal.keys k "
    "WHERE k.id OPERATOR(pg_catalog.=) $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL "
    "OR k.expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp())";
constexpr const char* kNoteUse = "SELECT imgpress_internal.note_use($1)";
constexpr int kOwner = 1, kHash = 2, kPreviousHash = 3, kHasScope = 4, kUsedLately = 5;

// A plan that is made once in a session.
struct Statement {
  const char* sql;
  int parameters;
  SPIPlanPtr plan = nullptr;

  // Returns the number of rows.
  uint64 run(Datum* values, bool read_only) {
    Oid types[] = {INT4OID, TEXTOID};
    if (plan == nullptr) {
      SPIPlanPtr made = SPI_prepare(sql, parameters, types);
      if (made == nullptr || SPI_keepplan(made) != 0) elog(ERROR, "imgpress: cannot plan: %s", sql);
      plan = made;
    }
    if (SPI_execute_plan(plan, values, nullptr, read_only, 1) != SPI_OK_SELECT) {
      elog(ERROR, "imgpress: cannot execute: %s", sql);
    }
    return SPI_processed;
  }
};
Statement any_key{kAnyKey, 0};
Statement find_key{kFindKey, 2};
Statement note_use{kNoteUse, 1};

Datum value_of(int column, bool* is_null) {
  return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, is_null);
}

bool is_true(int column) {
  bool is_null = false;
  const Datum value = value_of(column, &is_null);
  return !is_null && DatumGetBool(value);
}

bool is_hash(int column, const bytea* secret_hash) {
  bool is_null = false;
  const Datum value = value_of(column, &is_null);
  return !is_null && same_bytes(DatumGetByteaPP(value), secret_hash);
}

bool has_rights(Oid owner, const char* scope) {
  if (!OidIsValid(owner)) return false;
  for (const Scope& known : kScopes) {
    if (strcmp(known.name, scope) != 0) continue;
    const Oid role = get_role_oid(known.role, true);
    return OidIsValid(role) && has_privs_of_role(owner, role);
  }
  return false;
}

const char* refuse_without_key(const char* demand) {
  if (strcmp(demand, "never") == 0) return nullptr;
  if (strcmp(demand, "if any") != 0) return kUnauthorized;
  return any_key.run(nullptr, true) > 0 ? kUnauthorized : nullptr;
}

// Why the request is refused. Otherwise nullptr, and the caller of this function acts for the owner
// of the key.
const char* act_for(int32 key_id, const bytea* secret_hash, const char* scope) {
  Datum values[] = {Int32GetDatum(key_id), CStringGetTextDatum(scope)};
  if (find_key.run(values, true) == 0) return kUnauthorized;
  // Both are compared: the time does not tell which one it is.
  const bool is_current = is_hash(kHash, secret_hash);
  const bool is_previous = is_hash(kPreviousHash, secret_hash);
  if (!is_current && !is_previous) return kUnauthorized;
  if (!is_true(kHasScope)) return kForbidden;
  bool is_null = false;
  char* owner = pstrdup(NameStr(*DatumGetName(value_of(kOwner, &is_null))));
  if (!has_rights(get_role_oid(owner, true), scope)) return kUnauthorized;
  // Not at each use: that would make a write of every question.
  if (!is_true(kUsedLately) && !XactReadOnly && !RecoveryInProgress()) note_use.run(values, false);
  act_as(owner);
  return nullptr;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_act_for_key);
PG_FUNCTION_INFO_V1(imgpress_key_scopes);
}

Datum imgpress_act_for_key(PG_FUNCTION_ARGS) {
  const char* demand = PG_ARGISNULL(2) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(2));
  const char* scope = PG_ARGISNULL(3) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(3));
  SPI_connect();
  const char* refusal = PG_ARGISNULL(0) ? refuse_without_key(demand)
                        : PG_ARGISNULL(1)
                            ? kUnauthorized
                            : act_for(PG_GETARG_INT32(0), PG_GETARG_BYTEA_PP(1), scope);
  SPI_finish();
  if (refusal == nullptr) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(cstring_to_text(refusal));
}

Datum imgpress_key_scopes(PG_FUNCTION_ARGS) {
  RowSink* rows = open_rows(fcinfo);
  for (const Scope& scope : kScopes) {
    bool nulls[2] = {};
    Datum values[2] = {CStringGetTextDatum(scope.name), CStringGetTextDatum(scope.role)};
    tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
  }
  return (Datum)0;
}
