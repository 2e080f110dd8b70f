// What tells a client whether its copy is up to date: ETags and dates.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace imgpress::gateway {

// A tag as it stands in a header: in quotes.
std::string quoted_etag(std::string_view etag);

// True if the value of If-None-Match (a list of strong and weak tags, or *) has the tag, compared
// weakly as in RFC 9110. `etag` is without quotes, and has no comma.
bool if_none_match(std::string_view header, std::string_view etag);

// The form that HTTP prescribes: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t time);

}  // namespace imgpress::gateway
