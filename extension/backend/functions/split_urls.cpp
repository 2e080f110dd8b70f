// split_urls(): the URLs in a text, for a column of an attached table and for replace_urls().
#include <string>
#include <vector>

#include "core/input/url_list.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/sql_values.hpp"

using namespace imgpress;

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_split_urls);
}

Datum imgpress_split_urls(PG_FUNCTION_ARGS) {
  text* list = PG_GETARG_TEXT_PP(0);
  auto* urls = make_in<std::vector<std::string>>(CurrentMemoryContext);
  guard([&] {
    WorkMeter meter{check_interrupts};
    read_url_list({VARDATA_ANY(list), VARSIZE_ANY_EXHDR(list)}, meter, *urls);
  });
  ArrayArgument array(TEXTOID, static_cast<int>(urls->size()));
  for (int i = 0; i < static_cast<int>(urls->size()); ++i) {
    const std::string& url = (*urls)[static_cast<std::size_t>(i)];
    array.set(i,
              PointerGetDatum(cstring_to_text_with_len(url.data(), static_cast<int>(url.size()))));
  }
  PG_RETURN_DATUM(array.datum());
}
