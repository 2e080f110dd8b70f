#include "backend/launcher/hindrance.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_database.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
}

namespace imgpress {
namespace {

constexpr Hindrance kNoHindrance{Obstacle::kNone, ""};
constexpr Hindrance kNoRole{Obstacle::kNoExtension, kNoWorkerRole};
constexpr Hindrance kNoDatabase{Obstacle::kNoDatabase,
                                "create it, or take its name off imgpress.databases"};
constexpr Hindrance kClosed{
    Obstacle::kCannotStart,
    "it allows no connections: ALTER DATABASE can set ALLOW_CONNECTIONS true"};
constexpr Hindrance kHalfDropped{Obstacle::kCannotStart,
                                 "DROP DATABASE was interrupted in it: drop it again"};

// datconnlimit of a database whose DROP DATABASE was interrupted; the first minor versions of 15
// have no name for it.
constexpr int32 kInvalid = -2;

// Why the database cannot be connected to. Scans pg_database without its index, which a process
// that is connected to no database cannot rely on.
Hindrance database_hindrance(const char* name) {
  Relation databases = table_open(DatabaseRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_database_datname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum(name));
  SysScanDesc scan = systable_beginscan(databases, InvalidOid, false, nullptr, 1, &key);
  const HeapTuple tuple = systable_getnext(scan);
  Hindrance found = kNoHindrance;
  if (!HeapTupleIsValid(tuple)) {
    found = kNoDatabase;
  } else if (!reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datallowconn) {
    found = kClosed;
  } else if (reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datconnlimit == kInvalid) {
    found = kHalfDropped;
  }
  systable_endscan(scan);
  table_close(databases, AccessShareLock);
  return found;
}

}  // namespace

Hindrance look_for_hindrance(const char* database) {
  const MemoryContext caller = CurrentMemoryContext;
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  Hindrance found = database_hindrance(database);
  if (found.obstacle == Obstacle::kNone && !OidIsValid(get_role_oid("imgpress_worker", true))) {
    found = kNoRole;
  }
  CommitTransactionCommand();
  MemoryContextSwitchTo(caller);
  return found;
}

}  // namespace imgpress
