// Functions of earlier versions, as long as a database has not been updated: what they were called
// with, and what they returned, is not what is computed today.
#include "backend/bridge/postgres_api.hpp"

namespace {

[[noreturn]] void refuse() {
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("imgpress in this database is of an earlier version than its library"),
                  errhint("ALTER EXTENSION imgpress UPDATE")));
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
