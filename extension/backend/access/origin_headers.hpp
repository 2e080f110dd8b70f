// Secret headers of origins, for downloads of a session.
#pragma once

#include "backend/bridge/sql_values.hpp"

namespace imgpress {

// Those that the caller may use with this URL. Nobody but the owner of their table can read them,
// so no SQL function returns them to users.
Lines session_headers(const char* url);

}  // namespace imgpress
