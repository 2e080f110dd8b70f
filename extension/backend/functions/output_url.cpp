// output_url(): where an output is served, signed where imgpress.signed_urls asks for that.
#include <algorithm>
#include <string>

#include "core/net/url.hpp"
#include "core/rules/output_name.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/settings.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/syscache.h"
}

namespace imgpress {
namespace {

std::string_view view_of(text* value) {
  return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

// The end of the validity of a URL that is signed now. It moves in steps of an eighth of the
// lifetime, so that within a step an image keeps its URL, which caches know.
int64 end_of_validity(int64 lifetime) {
  const auto now = static_cast<int64>(timestamptz_to_time_t(GetCurrentStatementStartTimestamp()));
  const int64 step = std::max<int64>(lifetime / 8, 1);
  return (now / step + 1) * step + lifetime;
}

// imgpress_internal.url_signature(). Its name is looked up without asking whether the caller may
// use its schema: only imgpress's own roles may.
Oid signing_function() {
  const Oid types[] = {UUIDOID, INT4OID, INT8OID};
  const Oid schema = get_namespace_oid("imgpress_internal", false);
  const Oid function = GetSysCacheOid3(
      PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("url_signature"),
      PointerGetDatum(buildoidvector(types, lengthof(types))), ObjectIdGetDatum(schema));
  if (!OidIsValid(function)) elog(ERROR, "imgpress: imgpress_internal.url_signature() is missing");
  return function;
}

// "?expires=...&signature=..."; empty if the caller may not see the request. A function in SQL
// signs, because its owner may read the secret.
const char* query_of_signed_url(Datum request_id, int image_no, int64 lifetime) {
  FmgrInfo function;
  fmgr_info(signing_function(), &function);
  const int64 expires = end_of_validity(lifetime);
  LOCAL_FCINFO(call, 3);
  InitFunctionCallInfoData(*call, &function, 3, InvalidOid, nullptr, nullptr);
  call->args[0] = {request_id, false};
  call->args[1] = {Int32GetDatum(image_no), false};
  call->args[2] = {Int64GetDatum(expires), false};
  const Datum signature = FunctionCallInvoke(call);
  if (call->isnull) return "";
  return psprintf("?expires=" INT64_FORMAT "&signature=%s", expires,
                  TextDatumGetCString(signature));
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_served_url);
PG_FUNCTION_INFO_V1(imgpress_signed_url_lifetime);
}

Datum imgpress_served_url(PG_FUNCTION_ARGS) {
  const char* request_id = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)));
  const int image_no = PG_GETARG_INT32(1);
  text* source_url = PG_GETARG_TEXT_PP(2);
  text* format = PG_GETARG_TEXT_PP(3);
  const Settings config = settings();
  const bool simulated =
      static_cast<OutputUrlStyle>(config.output_url_style) == OutputUrlStyle::kSimulated;
  const char* query =
      config.signed_urls && !simulated
          ? query_of_signed_url(PG_GETARG_DATUM(0), image_no, config.signed_url_lifetime_s)
          : "";
  auto* url = make_in<std::string>(CurrentMemoryContext);
  guard([&] {
    *url = simulated ? simulated_url(view_of(source_url))
                     : served_url(config.public_url, request_id, image_no, view_of(source_url),
                                  view_of(format)) +
                           query;
  });
  PG_RETURN_TEXT_P(cstring_to_text_with_len(url->data(), static_cast<int>(url->size())));
}

Datum imgpress_signed_url_lifetime(PG_FUNCTION_ARGS) {
  const Settings config = settings();
  if (!config.signed_urls) PG_RETURN_NULL();
  PG_RETURN_INT32(config.signed_url_lifetime_s);
}
