// effort_or_setting(): what SQL stores with a request, and what the compress functions ask for.
#include "backend/functions/effort_argument.hpp"

#include "backend/bridge/entry_points.hpp"
#include "backend/settings.hpp"

namespace imgpress {

Effort effort_argument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return static_cast<Effort>(settings().effort);
  text* word = PG_GETARG_TEXT_PP(number);
  const auto effort = parse_effort({VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word)});
  if (!effort) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("effort \"%s\" is not known", text_to_cstring(word)),
             errhint("Give %s, %s or %s; without any, the setting imgpress.effort holds.",
                     kEffortNames[0].data(), kEffortNames[1].data(), kEffortNames[2].data())));
  }
  return *effort;
}

}  // namespace imgpress

using namespace imgpress;

Datum imgpress_effort_or_setting(PG_FUNCTION_ARGS) {
  const std::string_view name = effort_name(effort_argument(fcinfo, 0));
  PG_RETURN_TEXT_P(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
}
