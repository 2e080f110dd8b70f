#include "access/authority.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace imgpress::gateway {
namespace {

bool is_name_character(unsigned char c) {
  return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
}

bool is_ip_address(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (host.front() != '[') return ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
  return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6) == 1;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  const bool in_brackets = text.substr(0, 1) == "[";
  const std::size_t end = in_brackets ? text.find(']') + 1 : std::min(text.find(':'), text.size());
  if (end == 0) return std::nullopt;
  Authority authority{in_lower_case(text.substr(0, end)), ""};
  if (end < text.size()) {
    const std::string_view port = text.substr(end + 1);
    if (text[end] != ':' || !is_port(port)) return std::nullopt;
    authority.port = port;
  }
  if (in_brackets) {
    if (!is_ip_address(authority.host)) return std::nullopt;
    return authority;
  }
  if (authority.host.back() == '.') authority.host.pop_back();
  const std::string& host = authority.host;
  const bool is_name = std::all_of(host.begin(), host.end(), is_name_character);
  if (host.empty() || ends_with(host, ".") || !is_name) return std::nullopt;
  return authority;
}

bool is_fixed_host(const std::string& host) {
  return host == "localhost" || ends_with(host, ".localhost") || is_ip_address(host);
}

std::optional<Origin> origin_of(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == url.npos) return std::nullopt;
  const std::string scheme = in_lower_case(url.substr(0, colon));
  if (scheme != "http" && scheme != "https") return std::nullopt;
  const std::string_view rest = url.substr(colon + 3);
  auto authority = parse_authority(rest.substr(0, rest.find('/')));
  if (!authority) return std::nullopt;
  if (authority->port.empty()) authority->port = scheme == "https" ? "443" : "80";
  return Origin{scheme, *authority};
}

}  // namespace imgpress::gateway
