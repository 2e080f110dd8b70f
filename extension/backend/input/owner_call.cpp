#include "backend/input/owner_call.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "utils/syscache.h"
}

namespace imgpress {
namespace {

constexpr const char* kSchema = "imgpress_internal";

// Looks into the catalog itself: the parser would ask whether the caller may use the schema.
Oid find_function(const char* name, const Argument* arguments, int count) {
  Oid types[kMaxOwnerArguments];
  for (int i = 0; i < count; ++i) types[i] = arguments[i].type;
  const Oid schema = get_namespace_oid(kSchema, false);
  const HeapTuple row =
      SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name),
                      PointerGetDatum(buildoidvector(types, count)), ObjectIdGetDatum(schema));
  if (!HeapTupleIsValid(row)) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the function %s.%s is not that of the installed library", kSchema, name),
             errhint("Run ALTER EXTENSION imgpress UPDATE.")));
  }
  const auto* function = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
  const Oid id = function->oid;
  const bool as_owner = function->prosecdef;
  ReleaseSysCache(row);
  if (!as_owner) elog(ERROR, "imgpress: %s.%s is not SECURITY DEFINER", kSchema, name);
  return id;
}

}  // namespace

Datum call_as_owner(const char* function, const Argument* arguments, int count) {
  FmgrInfo info;
  fmgr_info(find_function(function, arguments, count), &info);
  LOCAL_FCINFO(call, kMaxOwnerArguments);
  InitFunctionCallInfoData(*call, &info, static_cast<short>(count), DEFAULT_COLLATION_OID, nullptr,
                           nullptr);
  for (int i = 0; i < count; ++i) {
    call->args[i].value = arguments[i].value;
    call->args[i].isnull = arguments[i].is_null;
  }
  const Datum result = FunctionCallInvoke(call);
  return call->isnull ? static_cast<Datum>(0) : result;
}

}  // namespace imgpress
