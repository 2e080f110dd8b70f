#include "core/net/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <stdexcept>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {false, {a, b, c, d}};
}

// An IPv6 address by its first three groups; the other groups are zero.
constexpr IpAddress v6(std::uint16_t a, std::uint16_t b = 0, std::uint16_t c = 0) {
  return {true,
          {static_cast<std::uint8_t>(a >> 8), static_cast<std::uint8_t>(a),
           static_cast<std::uint8_t>(b >> 8), static_cast<std::uint8_t>(b),
           static_cast<std::uint8_t>(c >> 8), static_cast<std::uint8_t>(c)}};
}

constexpr IpAddress kUnspecifiedV6{true, {}};
constexpr IpAddress kLoopbackV6{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct DeniedNetwork {
  Network network;
  const char* description;
};

// The special-purpose address registries of IANA, multicast, and the address of Azure's platform
// services. The first that contains an address describes it. IPv6 networks outside of
// kGlobalUnicast are here only where there is more to say of them.
constexpr DeniedNetwork kDenied[] = {
    {{v4(0, 0, 0, 0), 8}, "an unspecified address"},          // RFC 791
    {{v4(10, 0, 0, 0), 8}, "a private address"},              // RFC 1918
    {{v4(100, 64, 0, 0), 10}, "a carrier-internal address"},  // RFC 6598
    {{v4(127, 0, 0, 0), 8}, "a loopback address"},            // RFC 1122
    {{v4(168, 63, 129, 16), 32}, "a cloud platform's internal address"},
    {{v4(169, 254, 0, 0), 16}, "a link-local address"},               // RFC 3927
    {{v4(172, 16, 0, 0), 12}, "a private address"},                   // RFC 1918
    {{v4(192, 0, 0, 0), 24}, "a reserved address"},                   // RFC 6890
    {{v4(192, 0, 2, 0), 24}, "a documentation address"},              // RFC 5737
    {{v4(192, 31, 196, 0), 24}, "a special-purpose address"},         // AS112, RFC 7535
    {{v4(192, 52, 193, 0), 24}, "a special-purpose address"},         // AMT, RFC 7450
    {{v4(192, 88, 99, 0), 24}, "a reserved address"},                 // 6to4 relays, RFC 7526
    {{v4(192, 168, 0, 0), 16}, "a private address"},                  // RFC 1918
    {{v4(192, 175, 48, 0), 24}, "a special-purpose address"},         // AS112, RFC 7534
    {{v4(198, 18, 0, 0), 15}, "a benchmarking address"},              // RFC 2544
    {{v4(198, 51, 100, 0), 24}, "a documentation address"},           // RFC 5737
    {{v4(203, 0, 113, 0), 24}, "a documentation address"},            // RFC 5737
    {{v4(224, 0, 0, 0), 4}, "a multicast address"},                   // RFC 5771
    {{v4(240, 0, 0, 0), 4}, "a reserved address"},                    // RFC 1112
    {{kUnspecifiedV6, 128}, "an unspecified address"},                // RFC 4291
    {{kLoopbackV6, 128}, "a loopback address"},                       // RFC 4291
    {{v6(0xfc00), 7}, "a private address"},                           // RFC 4193
    {{v6(0xfe80), 10}, "a link-local address"},                       // RFC 4291
    {{v6(0xff00), 8}, "a multicast address"},                         // RFC 4291
    {{v6(0x2001), 32}, "a tunnel address"},                           // Teredo, RFC 4380
    {{v6(0x2001), 23}, "a reserved address"},                         // RFC 2928
    {{v6(0x2001, 0x0db8), 32}, "a documentation address"},            // RFC 3849
    {{v6(0x2002), 16}, "a tunnel address"},                           // 6to4, RFC 3056
    {{v6(0x2620, 0x004f, 0x8000), 48}, "a special-purpose address"},  // AS112, RFC 7534
    {{v6(0x3fff), 20}, "a documentation address"},                    // RFC 9637
};

constexpr Network kGlobalUnicast{v6(0x2000), 3};
constexpr Network kMappedV4{{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 96};
constexpr Network kNat64{v6(0x0064, 0xff9b), 96};

IpAddress last_four_bytes(const IpAddress& address) {
  return v4(address.bytes[12], address.bytes[13], address.bytes[14], address.bytes[15]);
}

// ::ffff:a.b.c.d is another spelling of a.b.c.d.
IpAddress without_mapping(const IpAddress& address) {
  return kMappedV4.contains(address) ? last_four_bytes(address) : address;
}

// A NAT64 address stands for an IPv4 host: the guard checks the host that is really reached.
IpAddress host_behind(const IpAddress& address) {
  return kNat64.contains(address) ? last_four_bytes(address) : address;
}

// ISATAP tunnel endpoints (RFC 5214): the interface identifier begins with 0000:5efe or 0200:5efe,
// and an IPv4 address follows.
bool is_isatap(const IpAddress& address) {
  return address.is_v6 && (address.bytes[8] & 0xfd) == 0 && address.bytes[9] == 0 &&
         address.bytes[10] == 0x5e && address.bytes[11] == 0xfe;
}

const char* denial_reason(const IpAddress& address) {
  for (const DeniedNetwork& denied : kDenied) {
    if (denied.network.contains(address)) return denied.description;
  }
  if (is_isatap(address)) return "a tunnel address";
  if (address.is_v6 && !kGlobalUnicast.contains(address)) return "not a public address";
  return nullptr;
}

IpAddress masked(IpAddress address, int prefix_bits) {
  for (int i = 0; i < static_cast<int>(address.bytes.size()); ++i) {
    const int kept = std::clamp(prefix_bits - 8 * i, 0, 8);
    auto& byte = address.bytes[static_cast<std::size_t>(i)];
    byte = static_cast<std::uint8_t>(byte & (0xff00 >> kept));
  }
  return address;
}

[[noreturn]] void reject(std::string_view entry, const std::string& why) {
  throw std::invalid_argument("\"" + std::string(entry) + "\" " + why);
}

// One to three digits, or -1.
int parse_prefix(std::string_view text) {
  if (text.empty() || text.size() > 3) return -1;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return -1;
    value = 10 * value + (c - '0');
  }
  return value;
}

Network parse_network(std::string_view entry) {
  const auto slash = entry.find('/');
  const auto address = IpAddress::parse(entry.substr(0, slash));
  if (!address) reject(entry, "is not a network; write it as 10.0.0.0/8 or fd00::/8");
  const int full = address->is_v6 ? 128 : 32;
  int bits = full;
  if (slash != std::string_view::npos) {
    bits = parse_prefix(entry.substr(slash + 1));
    if (bits < 0 || bits > full) {
      reject(entry, "needs a prefix length from 0 to " + std::to_string(full));
    }
  }
  const IpAddress base = masked(*address, bits);
  if (!(base == *address)) {
    reject(entry, "has bits set after its prefix; write " + base.to_string() + "/" +
                      std::to_string(bits) + " or a single address");
  }
  if (bits >= kMappedV4.prefix_bits && kMappedV4.contains(base)) {
    return {last_four_bytes(base), bits - kMappedV4.prefix_bits};
  }
  return {base, bits};
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress address;
  const std::string terminated(text);
  if (terminated.size() != std::string_view(terminated.c_str()).size()) return std::nullopt;
  if (::inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address = {true, {}};
  if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
  return text.data();
}

bool operator==(const IpAddress& a, const IpAddress& b) {
  return a.is_v6 == b.is_v6 && a.bytes == b.bytes;
}

bool Network::contains(const IpAddress& address) const {
  return address.is_v6 == base.is_v6 && masked(address, prefix_bits).bytes == base.bytes;
}

std::vector<Network> parse_networks(std::string_view list) {
  std::vector<Network> networks;
  if (trim_spaces(list).empty()) return networks;
  for (;;) {
    const auto comma = list.find(',');
    networks.push_back(parse_network(trim_spaces(list.substr(0, comma))));
    if (comma == std::string_view::npos) return networks;
    list.remove_prefix(comma + 1);
  }
}

AddressPolicy::AddressPolicy(std::string_view allowed_networks, IsOwnAddress is_own)
    : allowed_(parse_networks(allowed_networks)), is_own_(std::move(is_own)) {}

bool AddressPolicy::lists(const IpAddress& address) const {
  const IpAddress named = without_mapping(address);
  const IpAddress reached = host_behind(named);
  return std::any_of(allowed_.begin(), allowed_.end(), [&](const Network& network) {
    return network.contains(named) || network.contains(reached);
  });
}

std::optional<std::string> AddressPolicy::objection(const IpAddress& address,
                                                    std::uint16_t port) const {
  if (lists(address)) return std::nullopt;
  const IpAddress reached = host_behind(without_mapping(address));
  if (const char* reason = denial_reason(reached)) return "is " + std::string(reason);
  if (is_own_ && is_own_(reached)) return "is an address of the database server itself";
  if (port != 80 && port != 443) {
    return "is allowed on ports 80 and 443 only, not on " + std::to_string(port);
  }
  return std::nullopt;
}

}  // namespace imgpress
