// Functions that only earlier versions of the extension's SQL call. In a database that has not been
// updated yet they refuse to run: their arguments and results have changed since.
#include "backend/bridge/postgres_api.hpp"

namespace {

[[noreturn]] void refuse() {
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
           errmsg("the extension imgpress in this database is older than the installed library"),
           errhint("Run ALTER EXTENSION imgpress UPDATE.")));
  pg_unreachable();
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(imgpress_read_input);
PG_FUNCTION_INFO_V1(imgpress_output_url);
PG_FUNCTION_INFO_V1(imgpress_effort_or_setting);
}

Datum imgpress_read_input(FunctionCallInfo) {  // 0.1.0
  refuse();
}

Datum imgpress_output_url(FunctionCallInfo) {  // 0.1.0
  refuse();
}

Datum imgpress_effort_or_setting(FunctionCallInfo) {  // 0.1.0
  refuse();
}
