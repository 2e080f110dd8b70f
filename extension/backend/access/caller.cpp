// caller() and may_see(): who asks, and what they may see. act_as(): asks for somebody else.
#include "backend/access/caller.hpp"

#include "backend/bridge/postgres_api.hpp"

extern "C" {
#include "utils/acl.h"
}

namespace imgpress {
namespace {

constexpr const char* kActingRole = "imgpress.acting_role";

char* acting_role = nullptr;  // set by act_as(); otherwise ""

[[noreturn]] void refuse_hidden_caller() {
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("imgpress's functions cannot be called while PostgreSQL maintains a table "
                         "or a materialized view, or checks a foreign key")));
  pg_unreachable();
}

// The role on whose behalf the statement runs; InvalidOid if it is an acting role that is gone.
//
// imgpress's functions are SECURITY DEFINER, so in them the current user is imgpress_owner, and who
// called is the user outside of all such functions: that of the session, or of SET ROLE. It is
// somebody else where PostgreSQL itself has switched to the owner of a table, so as not to run
// their code as the user who runs ANALYZE or deletes a referenced row: there is no answer then.
Oid calling_role() {
  Oid current = InvalidOid;
  int context = 0;
  GetUserIdAndSecContext(&current, &context);
  if (current != get_role_oid("imgpress_owner", true)) return current;
  if (acting_role != nullptr && acting_role[0] != '\0') return get_role_oid(acting_role, true);
  if ((context & (SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS)) != 0) {
    refuse_hidden_caller();
  }
  return GetOuterUserId();
}

// Members of the role see what it has submitted. What "public" has submitted, a name that no role
// can have, everybody sees.
bool may_see(Oid caller, const char* submitted_by) {
  if (!OidIsValid(caller)) return false;
  const Oid role = get_role_oid(submitted_by, true);
  if (OidIsValid(role) && has_privs_of_role(caller, role)) return true;
  const Oid admin = get_role_oid("imgpress_admin", true);
  if (OidIsValid(admin) && has_privs_of_role(caller, admin)) return true;
  return strcmp(submitted_by, "public") == 0 || superuser_arg(caller);
}

}  // namespace

// A setting only because its value then ends by itself with the function that calls act_as(), also
// after an error. PGC_INTERNAL: no statement, file or connection option can set it.
void define_acting_role() {
  DefineCustomStringVariable(kActingRole, "The role for which imgpress's functions act.", nullptr,
                             &acting_role, "", PGC_INTERNAL,
                             GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, nullptr,
                             nullptr, nullptr);
}

void act_as(const char* role) {
  set_config_option(kActingRole, role, PGC_INTERNAL, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                    false);
}

}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_caller);
PG_FUNCTION_INFO_V1(imgpress_may_see);
PG_FUNCTION_INFO_V1(imgpress_act_as);
}

Datum imgpress_caller(PG_FUNCTION_ARGS) {
  const Oid caller = calling_role();
  char* name = OidIsValid(caller) ? GetUserNameFromId(caller, true) : nullptr;
  if (name == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("the role that calls imgpress does not exist any more")));
  }
  PG_RETURN_DATUM(DirectFunctionCall1(namein, CStringGetDatum(name)));
}

Datum imgpress_may_see(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(may_see(calling_role(), NameStr(*PG_GETARG_NAME(0))));
}

Datum imgpress_act_as(PG_FUNCTION_ARGS) {
  const char* role = NameStr(*PG_GETARG_NAME(0));
  get_role_oid(role, false);
  act_as(role);
  PG_RETURN_VOID();
}
