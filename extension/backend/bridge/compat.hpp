// What differs between PostgreSQL 15 and 18: the only file that asks for the version. A part of
// postgres_api.hpp, so that each source file of the wrong version begins with the error below.
#pragma once

#if PG_VERSION_NUM < 150000
#error "imgpress needs PostgreSQL 15 or later: PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config make"
#endif

extern "C" {
#include "catalog/pg_database.h"
#include "utils/acl.h"
}

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

}  // namespace imgpress::compat
