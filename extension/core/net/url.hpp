// What counts as the URL of an image, and the parts of it that matter here.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

constexpr std::size_t kMaxUrlBytes = 8192;

// True if `text` begins with http:// or https://, in any case.
bool has_scheme(std::string_view text);

// True if `text` begins with http:// or https://, in any case, and a host follows.
bool is_http_url(std::string_view text);

// The host (and port) of a URL in lower case, without user name; empty if there is none.
std::string host_of(std::string_view url);

// Where the path begins, after scheme and host; url.size() if there is none.
std::size_t path_begin(std::string_view url);

}  // namespace imgpress
