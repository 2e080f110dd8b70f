#include "core/net/host_patterns.hpp"

namespace imgpress {
namespace {

// DNS allows no longer ones. The bound also keeps the work linear in the length of a URL.
constexpr std::size_t kLongestName = 253;

// Where the port begins, with its colon; the size if there is none. The address of IPv6 is in
// brackets, and its colons do not count.
std::size_t port_begin(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos) return host.size();
  const std::size_t bracket = host.rfind(']');
  return bracket != std::string_view::npos && bracket > colon ? host.size() : colon;
}

void add(std::vector<std::string>& patterns, const std::string& name, std::string_view port) {
  if (!port.empty()) patterns.push_back(name + std::string(port));
  patterns.push_back(name);
}

}  // namespace

std::vector<std::string> host_patterns(std::string_view host) {
  const std::string_view port = host.substr(port_begin(host));
  std::string_view name = host.substr(0, host.size() - port.size());
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);  // the same host
  std::vector<std::string> patterns;
  if (name.empty()) return patterns;
  add(patterns, std::string(name), port);
  if (name.size() > kLongestName || name.front() == '[') return patterns;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    if (dot + 1 < name.size()) add(patterns, "*" + std::string(name.substr(dot)), port);
  }
  return patterns;
}

}  // namespace imgpress
