#include "core/net/retry_after.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr const char* kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct DateParts {
  int year = 0;
  std::array<char, 4> month{};
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

std::optional<std::time_t> to_time(const DateParts& parts) {
  const char* found = std::strstr(kMonths, parts.month.data());
  if (found == nullptr || std::strlen(parts.month.data()) != 3 || (found - kMonths) % 3 != 0) {
    return std::nullopt;
  }
  if (parts.day < 1 || parts.day > 31 || parts.hour > 23 || parts.minute > 59 ||
      parts.second > 60 || parts.hour < 0 || parts.minute < 0 || parts.second < 0) {
    return std::nullopt;
  }
  std::tm broken_down{};
  broken_down.tm_year = parts.year - 1900;
  broken_down.tm_mon = static_cast<int>(found - kMonths) / 3;
  broken_down.tm_mday = parts.day;
  broken_down.tm_hour = parts.hour;
  broken_down.tm_min = parts.minute;
  broken_down.tm_sec = parts.second;
  return ::timegm(&broken_down);
}

// RFC 9110: a two-digit year that seems more than 50 years in the future is in the last century.
int full_year(int two_digits, std::time_t now) {
  std::tm today{};
  ::gmtime_r(&now, &today);
  const int this_year = today.tm_year + 1900;
  const int year = this_year - this_year % 100 + two_digits;
  return year > this_year + 50 ? year - 100 : year;
}

}  // namespace

std::optional<std::time_t> parse_http_date(const std::string& text, std::time_t now) {
  DateParts p;
  const char* s = text.c_str();
  char* month = p.month.data();
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  if (std::sscanf(s, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &p.day, month, &p.year, &p.hour,
                  &p.minute, &p.second) == 6) {
    return to_time(p);
  }
  // "Sunday, 06-Nov-94 08:49:37 GMT"
  if (std::sscanf(s, "%*[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT", &p.day, month, &p.year,
                  &p.hour, &p.minute, &p.second) == 6) {
    p.year = full_year(p.year, now);
    return to_time(p);
  }
  // "Sun Nov  6 08:49:37 1994"
  if (std::sscanf(s, "%*3s %3s %2d %2d:%2d:%2d %4d", month, &p.day, &p.hour, &p.minute, &p.second,
                  &p.year) == 6) {
    return to_time(p);
  }
  return std::nullopt;
}

std::uint32_t retry_after_seconds(std::string_view header, std::time_t now) {
  header = trim_spaces(header);
  if (std::all_of(header.begin(), header.end(), is_digit)) {
    std::uint32_t seconds = 0;
    for (const char digit : header) {
      seconds =
          std::min(seconds * 10 + static_cast<std::uint32_t>(digit - '0'), kMaxRetryAfterSeconds);
    }
    return seconds;
  }
  const auto moment = parse_http_date(std::string(header), now);
  if (!moment || *moment <= now) return 0;
  return static_cast<std::uint32_t>(std::min<std::time_t>(*moment - now, kMaxRetryAfterSeconds));
}

}  // namespace imgpress
