#include "core/net/url.hpp"

#include <algorithm>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

// Length of "http://" or "https://" at the start of `text`; 0 if there is neither.
std::size_t scheme_length(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (starts_with_ignoring_case(text, scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

bool has_scheme(std::string_view text) {
  return scheme_length(text) > 0;
}

bool is_http_url(std::string_view text) {
  const std::size_t scheme = scheme_length(text);
  return scheme > 0 && path_begin(text) > scheme;
}

std::string host_of(std::string_view url) {
  const std::size_t scheme = scheme_length(url);
  if (scheme == 0) return {};
  std::string_view authority = url.substr(scheme, path_begin(url) - scheme);
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  return lower_case(authority);
}

std::size_t path_begin(std::string_view url) {
  return std::min(url.find_first_of("/?#", scheme_length(url)), url.size());
}

}  // namespace imgpress
