// "host:port", as it stands in the header Host and in an origin.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace imgpress::gateway {

struct Authority {
  std::string host;  // in lower case, without the dot at its end; an IPv6 address in its brackets
  std::string port;  // may be empty

  bool operator==(const Authority& other) const { return host == other.host && port == other.port; }
};

// No value if the text is anything else than a host and perhaps a port.
std::optional<Authority> parse_authority(std::string_view text);

// True for IP addresses, localhost and names below it: nobody can make such a host point somewhere
// else by changing what a name server answers.
bool is_fixed_host(const std::string& host);

// "scheme://host:port", as the header Origin has it.
struct Origin {
  std::string scheme;   // in lower case
  Authority authority;  // its port is never empty

  bool operator==(const Origin& other) const {
    return scheme == other.scheme && authority == other.authority;
  }
};

// `url` begins with http:// or https://; a path may follow. No value for anything else.
std::optional<Origin> origin_of(std::string_view url);

}  // namespace imgpress::gateway
