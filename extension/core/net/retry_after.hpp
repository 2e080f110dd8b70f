// The Retry-After header of a 429 or 503 response.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

namespace imgpress {

// The longest pause that one response can ask for.
constexpr std::uint32_t kMaxRetryAfterSeconds = 3600;

// Parses "120" or an HTTP date in any of the three forms of RFC 9110. Returns the seconds to wait
// from `now`, at most kMaxRetryAfterSeconds; 0 for a date in the past and for an invalid header.
std::uint32_t retry_after_seconds(std::string_view header, std::time_t now);

}  // namespace imgpress
