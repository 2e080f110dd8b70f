// Conditional requests.
#pragma once

#include <string>
#include <string_view>

namespace imgpress::gateway {

// The header form of a tag: in quotes.
std::string quoted_etag(std::string_view etag);

// True if an If-None-Match value (a list, weak forms among it, or *) names the tag, by the weak
// comparison that RFC 9110 wants here. The tag comes without quotes.
bool if_none_match(std::string_view header, std::string_view etag);

}  // namespace imgpress::gateway
