// output_url() and is_http_url(): rules of core/ as SQL functions.
#include <string>

#include "core/net/url.hpp"
#include "core/rules/output_name.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/settings.hpp"

namespace imgpress {
namespace {

std::string_view view_of(text* value) {
  return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

}  // namespace
}  // namespace imgpress

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_served_url);
PG_FUNCTION_INFO_V1(imgpress_is_http_url);
}

Datum imgpress_served_url(PG_FUNCTION_ARGS) {
  const char* request_id = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)));
  const int image_no = PG_GETARG_INT32(1);
  text* source_url = PG_GETARG_TEXT_PP(2);
  text* format = PG_GETARG_TEXT_PP(3);
  const Settings config = settings();
  auto* url = make_in<std::string>(CurrentMemoryContext);
  guard([&] {
    *url = static_cast<OutputUrlStyle>(config.output_url_style) == OutputUrlStyle::kSimulated
               ? simulated_url(view_of(source_url))
               : served_url(config.public_url, request_id, image_no, view_of(source_url),
                            view_of(format));
  });
  PG_RETURN_TEXT_P(cstring_to_text_with_len(url->data(), static_cast<int>(url->size())));
}

Datum imgpress_is_http_url(PG_FUNCTION_ARGS) {
  PG_RETURN_BOOL(is_http_url(view_of(PG_GETARG_TEXT_PP(0))));
}
