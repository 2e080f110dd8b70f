// The argument `effort` of the SQL functions that take one.
#pragma once

#include "core/rules/effort.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// The effort that the argument with this number names; where it is NULL, the session's setting
// imgpress.effort. Any other word is an ereport(ERROR).
Effort effort_argument(FunctionCallInfo fcinfo, int number);

}  // namespace imgpress
