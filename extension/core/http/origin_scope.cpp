#include "core/http/origin_scope.hpp"

#include <algorithm>

#include "core/net/url.hpp"
#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::string_view kPort = ":443";

bool is_host_character(char c) {
  return is_letter(c) || is_digit(c) ||
         std::string_view(".-_:[]").find(c) != std::string_view::npos;
}

// "." and "..", also with what some servers cut off ("..;x"). Hidden files (".a") are none.
bool is_dot_segment(std::string_view segment) {
  if (starts_with(segment, "..")) return true;
  return !segment.empty() && segment[0] == '.' && (segment.size() == 1 || segment[1] == ';');
}

// A percent sign that hides a dot, a slash, a backslash, a control character, or another percent
// sign; or that is no encoding at all.
bool is_harmful_escape(std::string_view digits) {
  if (digits.size() < 2 || !is_hex_digit(digits[0]) || !is_hex_digit(digits[1])) return true;
  const std::string code = lower_case(digits.substr(0, 2));
  return code[0] == '0' || code[0] == '1' || code == "7f" || code == "2e" || code == "2f" ||
         code == "5c" || code == "25";
}

bool is_plain_path(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] <= ' ' || path[i] > '~' || path[i] == '\\') return false;
    if (path[i] == '%' && is_harmful_escape(path.substr(i + 1))) return false;
    if (path[i] == '/' && is_dot_segment(path.substr(i + 1, path.find('/', i + 1) - i - 1))) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::string> plain_https_url(std::string_view url) {
  if (!starts_with_ignoring_case(url, kScheme)) return std::nullopt;
  const std::size_t path_at = path_begin(url);
  std::string host = lower_case(url.substr(kScheme.size(), path_at - kScheme.size()));
  if (ends_with(host, kPort)) host.resize(host.size() - kPort.size());
  const bool is_plain_host = !host.empty() && host.back() != '.' && host.back() != ':' &&
                             std::all_of(host.begin(), host.end(), is_host_character);
  std::string_view path = url.substr(path_at);
  path = path.substr(0, path.find_first_of("?#"));
  if (path.empty()) path = "/";
  if (!is_plain_host || !is_plain_path(path)) return std::nullopt;
  return std::string(kScheme) + host + std::string(path);
}

std::optional<std::string> origin_scope(std::string_view prefix) {
  if (prefix.find_first_of("?#") != std::string_view::npos) return std::nullopt;
  if (prefix.empty() || prefix.back() != '/') return std::nullopt;
  auto scope = plain_https_url(prefix);
  // "https://" itself ends with a slash, too.
  return scope && scope->size() > kScheme.size() + 1 ? scope : std::nullopt;
}

}  // namespace imgpress
