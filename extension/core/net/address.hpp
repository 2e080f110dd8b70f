// Which network addresses may be fetched from: the rules of the address guard.
//
// The guard judges the socket address that is about to be connected, never the URL's text, so that
// redirects, DNS rebinding and fancy spellings of an address make no difference. Only public
// addresses are open, and of those only ports 80 and 443; an allow-list opens further networks, on
// any port.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imgpress {

struct IpAddress {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // network order; IPv4 uses the first four

  // Numeric text only: "10.0.0.1", "2001:db8::1". No names, no zone, no port.
  static std::optional<IpAddress> parse(std::string_view text);
  std::string to_string() const;
};

bool operator==(const IpAddress& a, const IpAddress& b);

struct Network {
  IpAddress base;
  int prefix_bits = 0;

  bool contains(const IpAddress& address) const;
};

// A comma-separated list of networks ("10.0.0.0/8, fd00::/8, 192.168.1.5"); empty text is an empty
// list. Throws std::invalid_argument with a message that names the bad entry.
std::vector<Network> parse_networks(std::string_view list);

class AddressPolicy {
 public:
  AddressPolicy() = default;  // nothing but the public internet

  // `own_addresses` are this machine's own: closed, public or not, unless the allow-list opens
  // them. Throws std::invalid_argument like parse_networks().
  explicit AddressPolicy(std::string_view allowed_networks,
                         std::vector<IpAddress> own_addresses = {});

  // No value when the connection is allowed; otherwise what is wrong with the address, as the end
  // of a sentence: "is a private address".
  std::optional<std::string> objection(const IpAddress& address, std::uint16_t port) const;

 private:
  bool is_opened(const IpAddress& address) const;

  std::vector<Network> allowed_;
  std::vector<IpAddress> own_;
};

}  // namespace imgpress
