// What users are told about an address that the address guard has denied.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/net/address.hpp"

namespace imgpress {

// The message. `objection`: the address and why it is denied ("10.0.0.5 is a private address").
std::string describe_denial(const std::string& host, const std::string& objection);

// The address that such a message names; no value if the text is another message.
std::optional<IpAddress> denied_address(std::string_view message);

// The SQL statements that allow the address besides the networks that are allowed now. If these
// include it already, says so instead. Throws std::invalid_argument like parse_networks().
std::string hint_about_denied(const IpAddress& address, const std::string& allowed_networks);

}  // namespace imgpress
