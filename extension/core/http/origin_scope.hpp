// Which URLs a secret header is for: those of one https origin that begin with a path.
//
// The comparison is about bytes, so a URL in which a server or libcurl may read another path than
// stands there (dot segments, encoded slashes and dots, backslashes, control characters) is in no
// scope.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace imgpress {

// "https://host[:port]/path" in the form in which it is compared: scheme and host in lower case,
// without port 443, without query and fragment. No value if the URL is not https or not plain.
std::optional<std::string> plain_https_url(std::string_view url);

// `prefix` in the same form; no value unless it ends with a slash.
std::optional<std::string> origin_scope(std::string_view prefix);

}  // namespace imgpress
