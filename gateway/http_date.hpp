// Dates as HTTP writes them.
#pragma once

#include <ctime>
#include <string>

namespace imgpress::gateway {

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::time_t time);

}  // namespace imgpress::gateway
