// The Retry-After header of a 429 or 503 response, and the dates in HTTP headers.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace imgpress {

// The longest pause that one response can ask for.
constexpr std::uint32_t kMaxRetryAfterSeconds = 3600;

// Parses an HTTP date in any of the three forms of RFC 9110. `now` tells the century of a year of
// two digits.
std::optional<std::time_t> parse_http_date(const std::string& text, std::time_t now);

// Parses "120" or an HTTP date in any of the three forms of RFC 9110. Returns the seconds to wait
// from `now`, at most kMaxRetryAfterSeconds; 0 for a date in the past and for an invalid header.
std::uint32_t retry_after_seconds(std::string_view header, std::time_t now);

}  // namespace imgpress
