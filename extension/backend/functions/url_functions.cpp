// is_http_url(), url_objection(), host_patterns(), plain_https_url() and others: rules of core/ as
// SQL functions.
#include <string>
#include <vector>

#include "channel/own_address.hpp"
#include "core/net/denial.hpp"
#include "core/net/host_patterns.hpp"
#include "core/net/literal_host.hpp"
#include "core/http/origin_scope.hpp"
#include "core/http/request_headers.hpp"
#include "core/net/url.hpp"

#include "core/text/text_scan.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/sql_values.hpp"
#include "backend/settings.hpp"

namespace imgpress {
namespace {

std::string_view view_of(text* value) {
  return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

// What a rule makes of a text; NULL if it refuses it.
template <typename Rule>
Datum result_of(FunctionCallInfo fcinfo, Rule rule) {
  auto* result = make_in<std::string>(CurrentMemoryContext);
  guard([&] { *result = rule(); });
  if (result->empty()) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(cstring_to_text_with_len(result->data(), static_cast<int>(result->size())));
}

// Empty if the guard has none, or cannot say before a name is looked up.
std::string objection_to(std::string_view url, const char* allowed_networks) {
  const auto host = literal_host(url);
  if (!host) return {};
  const AddressPolicy policy(allowed_networks, is_own_address);
  const auto objection = policy.objection(host->address, host->port);
  if (!objection) return {};
  return describe_denial(host_of(url), host->address.to_string() + " " + *objection);
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_is_http_url);
PG_FUNCTION_INFO_V1(imgpress_url_objection);
PG_FUNCTION_INFO_V1(imgpress_host_patterns);
PG_FUNCTION_INFO_V1(imgpress_plain_https_url);
PG_FUNCTION_INFO_V1(imgpress_origin_scope);
PG_FUNCTION_INFO_V1(imgpress_header_objection);
}

Datum imgpress_is_http_url(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(is_http_url(view_of(PG_GETARG_TEXT_PP(0))));
}

Datum imgpress_url_objection(PG_FUNCTION_ARGS) {
  text* url = PG_GETARG_TEXT_PP(0);
  const Settings config = settings();
  return result_of(fcinfo, [&] { return objection_to(view_of(url), config.allowed_networks); });
}

Datum imgpress_host_patterns(PG_FUNCTION_ARGS) {
  text* url = PG_GETARG_TEXT_PP(0);
  auto* patterns = make_in<std::vector<std::string>>(CurrentMemoryContext);
  guard([&] {
    WorkMeter meter;
    *patterns = host_patterns(host_of(trim_blanks(view_of(url), meter)));
  });
  const auto count = static_cast<int>(patterns->size());
  ArrayArgument result(TEXTOID, count);
  for (int i = 0; i < count; ++i) {
    const std::string& pattern = (*patterns)[static_cast<std::size_t>(i)];
    result.set(i, PointerGetDatum(
                      cstring_to_text_with_len(pattern.data(), static_cast<int>(pattern.size()))));
  }
  PG_RETURN_DATUM(result.datum());
}

Datum imgpress_plain_https_url(PG_FUNCTION_ARGS) {
  text* url = PG_GETARG_TEXT_PP(0);
  return result_of(fcinfo, [&] {
    WorkMeter meter;
    return plain_https_url(trim_blanks(view_of(url), meter)).value_or("");
  });
}

Datum imgpress_origin_scope(PG_FUNCTION_ARGS) {
  text* prefix = PG_GETARG_TEXT_PP(0);
  return result_of(fcinfo, [&] { return origin_scope(view_of(prefix)).value_or(""); });
}

Datum imgpress_header_objection(PG_FUNCTION_ARGS) {
  text* name = PG_GETARG_TEXT_PP(0);
  text* value = PG_GETARG_TEXT_PP(1);
  return result_of(fcinfo, [&] {
    return objection_to_header(view_of(name), view_of(value), HeaderUse::kOneOrigin);
  });
}
