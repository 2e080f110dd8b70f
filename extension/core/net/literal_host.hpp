// The host of a URL that is written as an address, so that no name has to be looked up.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/net/address.hpp"

namespace imgpress {

struct LiteralHost {
  IpAddress address;
  std::uint16_t port = 0;
};

// Knows the spellings of an address that URL libraries know: "127.1", "0x7f000001", "[::1]", with
// characters percent-encoded, in full width, or with another script's dots. No value for a name,
// and for what is no http:// or https:// URL. Only for telling a user early: what is connected to
// is decided by the guard on the socket's address.
std::optional<LiteralHost> literal_host(std::string_view url);

}  // namespace imgpress
