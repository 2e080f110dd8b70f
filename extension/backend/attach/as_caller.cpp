// attach(), detach() and detach_all(): they change tables of users, with the rights of whoever
// calls them. Each has a half in SQL, of the same name and arguments in imgpress_internal, that
// checks what may be done and writes imgpress's own tables with the rights of imgpress_owner. It
// answers with the result, and with the statements that are then carried out as the caller.
#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace imgpress {
namespace {

Oid half_of(Oid function) {
  Oid* types = nullptr;
  int count = 0;
  get_func_signature(function, &types, &count);
  oidvector* arguments = buildoidvector(types, count);
  char* name = get_func_name(function);
  const Oid half = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, PointerGetDatum(name),
                                   PointerGetDatum(arguments),
                                   ObjectIdGetDatum(get_namespace_oid("imgpress_internal", false)));
  if (!OidIsValid(half)) elog(ERROR, "imgpress_internal.%s is missing", name);
  return half;
}

ArrayType* ask_half(FunctionCallInfo fcinfo) {
  FmgrInfo function;
  fmgr_info(half_of(fcinfo->flinfo->fn_oid), &function);
  LOCAL_FCINFO(call, FUNC_MAX_ARGS);
  InitFunctionCallInfoData(*call, &function, PG_NARGS(), InvalidOid, nullptr, nullptr);
  for (int i = 0; i < PG_NARGS(); i++) call->args[i] = fcinfo->args[i];
  const Datum answer = FunctionCallInvoke(call);
  if (call->isnull) elog(ERROR, "function %u returned NULL", function.fn_oid);
  return DatumGetArrayTypeP(answer);
}

void say_how_long(void*) {
  errcontext("imgpress waits for the lock of a table for two seconds at most");
}

void carry_out(const char* statement) {
  SPI_connect();
  if (SPI_execute(statement, false, 0) < 0) elog(ERROR, "imgpress: cannot execute: %s", statement);
  SPI_finish();
}

Datum run_as_caller(FunctionCallInfo fcinfo) {
  Datum* answers = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(ask_half(fcinfo), TEXTOID, -1, false, TYPALIGN_INT, &answers, &nulls, &count);
  ErrorContextCallback context{error_context_stack, say_how_long, nullptr};
  error_context_stack = &context;
  for (int i = 1; i < count; i++) carry_out(TextDatumGetCString(answers[i]));
  error_context_stack = context.previous;
  Oid input = InvalidOid;
  Oid parameter = InvalidOid;
  getTypeInputInfo(get_func_rettype(fcinfo->flinfo->fn_oid), &input, &parameter);
  return OidInputFunctionCall(input, TextDatumGetCString(answers[0]), parameter, -1);
}

// Writers of the table have ended or wait, and nobody changes its definition, while it is looked
// at.
void lock_table(Oid table) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(tuple)) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("there is no table with OID %u", table)));
  }
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  char* name =
      quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), get_rel_name(table));
  if (!has_privs_of_role(GetUserId(), owner)) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("only the owner of %s can attach it", name),
                    errhint("That is role \"%s\", or one of its members.",
                            GetUserNameFromId(owner, false))));
  }
  ErrorContextCallback context{error_context_stack, say_how_long, nullptr};
  error_context_stack = &context;
  LockRelationOid(table, ShareRowExclusiveLock);
  error_context_stack = context.previous;
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_attach);
PG_FUNCTION_INFO_V1(imgpress_detach);
}

Datum imgpress_attach(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("relation is NULL")));
  }
  lock_table(PG_GETARG_OID(0));
  return run_as_caller(fcinfo);
}

Datum imgpress_detach(PG_FUNCTION_ARGS) {  // and detach_all()
  return run_as_caller(fcinfo);
}
