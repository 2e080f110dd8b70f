#include "core/net/denial.hpp"

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

constexpr std::string_view kBeforeHost = "connections to ";
constexpr std::string_view kAfterHost = " are not allowed: ";

}  // namespace

std::string describe_denial(const std::string& host, const std::string& objection) {
  return std::string(kBeforeHost) + host + std::string(kAfterHost) + objection +
         "; imgpress.allowed_networks does not list it";
}

std::optional<IpAddress> denied_address(std::string_view message) {
  const auto after_host = message.find(kAfterHost);
  if (!starts_with(message, kBeforeHost) || after_host == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view objection = message.substr(after_host + kAfterHost.size());
  return IpAddress::parse(objection.substr(0, objection.find(' ')));
}

std::string hint_about_denied(const IpAddress& address, const std::string& allowed_networks) {
  if (AddressPolicy(allowed_networks).lists(address)) {
    return "By now imgpress.allowed_networks lists " + address.to_string() +
           ": imgpress.retry_failed() tries failed images again, and a webhook that is Pending is "
           "sent at its next attempt.";
  }
  std::string networks(trim_spaces(allowed_networks));
  if (!networks.empty()) networks += ", ";
  return "ALTER SYSTEM SET imgpress.allowed_networks = '" + networks + address.to_string() +
         "'; SELECT pg_reload_conf();";
}

}  // namespace imgpress
