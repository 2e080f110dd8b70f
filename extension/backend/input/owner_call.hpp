// Calls functions of the schema imgpress_internal that run as imgpress_owner, from functions that
// run as whoever calls them: those may neither look into that schema nor call what is in it.
#pragma once

#include "backend/bridge/sql_values.hpp"

namespace imgpress {

// Returns the result, 0 for NULL. REQUIRES: at most
// kMaxOwnerArguments, of exactly the types that the function takes.
constexpr int kMaxOwnerArguments = 8;
Datum call_as_owner(const char* function, const Argument* arguments, int count);

}  // namespace imgpress
