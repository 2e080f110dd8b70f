// What tells a client whether its copy is up to date: ETags and dates.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// A tag as it stands in a header: in quotes.
inline std::string quoted_etag(std::string_view etag) {
  return '"' + std::string(etag) + '"';
}

// True if the value of If-None-Match (a list of strong and weak tags, or *) has the tag, compared
// weakly as in RFC 9110. `etag` is given as in its header.
inline bool if_none_match(std::string_view header, std::string_view etag) {
  if (etag.substr(0, 2) == "W/") etag.remove_prefix(2);
  return header == "*" || header.find(etag) != header.npos;
}

// The form that HTTP prescribes: "Sun, 06 Nov 1994 08:49:37 GMT".
inline std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  // The program never calls setlocale(), so the names of days and months are the English ones.
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text, length);
}

}  // namespace imgpress::gateway
