// is_http_url(), url_objection(), host_patterns(): rules of core/ as SQL functions.
#include <string>
#include <vector>

#include "channel/own_address.hpp"
#include "core/net/denial.hpp"
#include "core/net/host_patterns.hpp"
#include "core/net/literal_host.hpp"
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
}

Datum imgpress_is_http_url(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(is_http_url(view_of(PG_GETARG_TEXT_PP(0))));
}

Datum imgpress_url_objection(PG_FUNCTION_ARGS) {
  text* url = PG_GETARG_TEXT_PP(0);
  const Settings config = settings();
  auto* objection = make_in<std::string>(CurrentMemoryContext);
  guard([&] { *objection = objection_to(view_of(url), config.allowed_networks); });
  if (objection->empty()) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(
      cstring_to_text_with_len(objection->data(), static_cast<int>(objection->size())));
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
