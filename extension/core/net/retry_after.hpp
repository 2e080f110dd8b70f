// The Retry-After header of a 429 or 503 answer.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

namespace imgpress {

// No server may hold an image back for longer than this by one answer.
constexpr std::uint32_t kMaxRetryAfterSeconds = 3600;

// Seconds to wait, from "120" or from an HTTP-date (any of the three forms of RFC 9110) seen at
// `now`; at most kMaxRetryAfterSeconds. 0 for a moment in the past and for anything else.
std::uint32_t retry_after_seconds(std::string_view header, std::time_t now);

}  // namespace imgpress
