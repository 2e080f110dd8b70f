#include "core/net/literal_host.hpp"

#include <arpa/inet.h>

#include <cstring>
#include <string>

#include "core/net/url.hpp"
#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// REQUIRES: lower case
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                        hex_value(text[i + 2]) >= 0;
    decoded +=
        escape ? static_cast<char>(16 * hex_value(text[i + 1]) + hex_value(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return decoded;
}

// International host names: full-width ASCII (U+FF01 to U+FF5E) means ASCII, and the ideographic
// full stops (U+3002, U+FF61) mean dots.
std::string with_plain_characters(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned code = text.size() >= 3 && (byte(0) & 0xf0) == 0xe0
                              ? (byte(0) & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu)
                              : 0;
    if (code >= 0xff01 && code <= 0xff5e) {
      plain += static_cast<char>(code - 0xff01 + '!');
    } else if (code == 0x3002 || code == 0xff61) {
      plain += '.';
    } else {
      plain += text[0];
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(3);
  }
  return plain;
}

std::optional<IpAddress> parse_v4(std::string_view text) {
  std::string host = lower_case(with_plain_characters(percent_decoded(text)));
  if (ends_with(host, ".")) host.pop_back();
  in_addr number{};
  // inet_aton() ignores what follows a space.
  if (host.find_first_of(" \t\n\v\f\r") != std::string::npos ||
      ::inet_aton(host.c_str(), &number) == 0) {
    return std::nullopt;
  }
  IpAddress address;
  std::memcpy(address.bytes.data(), &number, sizeof number);
  return address;
}

// In brackets, and without its zone.
std::optional<IpAddress> parse_v6(std::string_view text) {
  if (!ends_with(text, "]")) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(1, text.find_first_of("%]") - 1));
  return address && address->is_v6 ? address : std::nullopt;
}

// ":80"; the scheme's own port for nothing or a colon alone.
std::optional<std::uint16_t> parse_port(std::string_view text, std::string_view url) {
  if (text.size() <= 1) return starts_with_ignoring_case(url, "https") ? 443 : 80;
  unsigned port = 0;
  for (const char c : text.substr(1)) {
    if (!is_digit(c)) return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 0xffff) return std::nullopt;
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::optional<LiteralHost> literal_host(std::string_view url) {
  const std::string authority = host_of(url);
  const std::size_t bracket = authority.find(']');
  const std::size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  const std::string host = authority.substr(0, colon);
  const auto port = parse_port(std::string_view(authority).substr(host.size()), url);
  const auto address = starts_with(host, "[") ? parse_v6(host) : parse_v4(host);
  if (!address || !port) return std::nullopt;
  return LiteralHost{*address, *port};
}

}  // namespace imgpress
