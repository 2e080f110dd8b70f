// URL rules: what counts as an image URL, and how an output is named.
#pragma once

#include <string>
#include <string_view>

namespace imgpress {

constexpr std::size_t kMaxUrlBytes = 8192;

// True for text that begins with http:// or https://, whatever the case.
bool has_scheme(std::string_view text);

// True for text that begins with http:// or https:// (whatever the case) and has a host behind it.
bool is_http_url(std::string_view text);

// The host (and port) of a URL in lower case, without user name; empty when there is none.
std::string host_of(std::string_view url);

// The source's file name with `_compressed` and the extension of what is served, percent-encoded
// where a URL path segment needs it: ".../a%20b/img1.jpg?w=3" -> "img1_compressed.jpg"; no name ->
// "image_compressed.jpg". The source's own extension stays as it is written where it says the same
// ("JPG", "jpeg" and "jpe" for a JPEG). `format` is a name of rules/formats.hpp.
std::string compressed_name(std::string_view url, std::string_view format);

// The source URL itself with `_compressed` before the extension of its file name.
std::string simulated_output_url(std::string_view url);

}  // namespace imgpress
