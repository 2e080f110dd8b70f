// How a rule for hosts names the hosts that it is for: "img.example.com:8443" is one host with its
// port, "img.example.com" the host with any port, "*.example.com" every host below a domain.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgpress {

// All names of rules that are for a host (as host_of() returns it), the most specific first.
std::vector<std::string> host_patterns(std::string_view host);

}  // namespace imgpress
