// The rules of the address guard: which network addresses imgpress may connect to.
//
// The guard checks the socket address right before connecting, never the text of the URL, so
// redirects, DNS rebinding and unusual spellings of an address cannot get around it. Allowed are
// public addresses on ports 80 and 443, and the networks of an allow-list on any port.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
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

// Parses a comma-separated list of networks ("10.0.0.0/8, fd00::/8, 192.168.1.5"); empty text is an
// empty list. Throws std::invalid_argument with a message that names the bad entry.
std::vector<Network> parse_networks(std::string_view list);

// Whether an address belongs to this machine at the moment.
using IsOwnAddress = std::function<bool(const IpAddress&)>;

class AddressPolicy {
 public:
  AddressPolicy() = default;  // only public addresses

  // Addresses of this machine are denied even where they are public, unless the allow-list names
  // them. Throws std::invalid_argument like parse_networks().
  explicit AddressPolicy(std::string_view allowed_networks, IsOwnAddress is_own = {});

  // Why the connection is denied, as the end of a sentence ("is a private address"); no value if it
  // is allowed.
  std::optional<std::string> objection(const IpAddress& address, std::uint16_t port) const;

  // Whether the allow-list names the address, in this or another spelling.
  bool lists(const IpAddress& address) const;

 private:
  std::vector<Network> allowed_;
  IsOwnAddress is_own_;
};

}  // namespace imgpress
