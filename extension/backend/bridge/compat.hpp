// What differs between PostgreSQL 13 and 18, in one place.
#pragma once

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "catalog/pg_database.h"
#include "utils/acl.h"
}

// PostgreSQL 13 names only some of the array types; their numbers are fixed.
#ifndef BOOLARRAYOID
#define BOOLARRAYOID 1000
#endif
#ifndef INT2ARRAYOID
#define INT2ARRAYOID 1005
#endif
#ifndef INT8ARRAYOID
#define INT8ARRAYOID 1016
#endif
#ifndef UUIDARRAYOID
#define UUIDARRAYOID 2951
#endif

namespace imgpress::compat {

// Index of this process in ProcGlobal->allProcs.
inline int my_proc_number() {
#if PG_VERSION_NUM >= 170000
  return MyProcNumber;
#else
  return MyProc->pgprocno;
#endif
}

inline bool owns_database(Oid database) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(DatabaseRelationId, database, GetUserId());
#else
  return pg_database_ownercheck(database, GetUserId());
#endif
}

inline void reserve_guc_prefix(const char* prefix) {
#if PG_VERSION_NUM >= 150000
  MarkGUCPrefixReserved(prefix);
#else
  EmitWarningsOnPlaceholders(prefix);
#endif
}

}  // namespace imgpress::compat
