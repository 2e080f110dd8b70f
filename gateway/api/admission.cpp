#include "api/handlers.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kAdmit =
    "SELECT imgpress_internal.admit($1::pg_catalog.int4, $2::pg_catalog.bytea, "
    "$3::pg_catalog.text, $4::pg_catalog.text)";

std::string refusal(Pool& pool, const Caller& caller, const char* scope) {
  return pool.run(Use::kShort, within(kConnectionWait), [&](Connection& connection) {
    const auto result = connection.query(kAdmit, caller.with({scope}), within(kQueryTime));
    return std::string(result.value(0, 0));
  });
}

}  // namespace

void check_refusal(std::string_view refusal, const char* scope) {
  if (refusal == kForbidden.name) throw HttpError(forbidden(scope));
  if (!refusal.empty()) throw HttpError(unauthorized());
}

void admit(Service& service, const httplib::Request& request, const char* scope) {
  if (service.keys == KeyDemand::kNever) return;
  check_refusal(refusal(service.pool, Caller(request, service.keys), scope), scope);
}

bool any_key(Pool& pool) {
  return !refusal(pool, Caller({}, KeyDemand::kIfAny), "read").empty();
}

}  // namespace imgpress::gateway
