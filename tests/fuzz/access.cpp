// Who asks the gateway: the headers Host, Origin and Authorization.
#include <algorithm>
#include <string>

#include "access/authority.hpp"
#include "access/key.hpp"
#include "http/errors.hpp"
#include "target.hpp"

namespace imgpress::fuzz {

IMGPRESS_FUZZ_TARGET(authority) {
  const std::string_view text = text_of(input);
  if (const auto authority = gateway::parse_authority(text)) {
    const std::string port = authority->port.empty() ? "" : ":" + authority->port;
    require(gateway::parse_authority(authority->host + port) == authority,
            "a host and its port read as they were written");
    gateway::is_fixed_host(authority->host);
  }
  const auto origin = gateway::origin_of(text);
  require(!origin || !origin->authority.port.empty(), "an origin has a port");
}

IMGPRESS_FUZZ_TARGET(key) {
  try {
    const auto key = gateway::parse_key(text_of(input));
    if (!key) return;
    require(key->secret_hash.size() == 32, "a secret is known by its SHA-256");
    require(!key->id.empty() && key->id.size() <= 10 &&
                std::all_of(key->id.begin(), key->id.end(),
                            [](char c) { return c >= '0' && c <= '9'; }),
            "an id is a number");
  } catch (const gateway::HttpError&) {
  }
}

}  // namespace imgpress::fuzz
