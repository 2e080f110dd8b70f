#include "access/browser.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kPreflightSeconds = "600";

bool is_allowed(const httplib::Request& request, const BrowserRules& rules) {
  const auto& allowed = rules.cors_origins;
  if (allowed.empty() || request.headers.count("Origin") != 1) return false;
  const auto origin = origin_of(request.get_header_value("Origin"));
  return origin && std::find(allowed.begin(), allowed.end(), *origin) != allowed.end();
}

// True if the page was loaded from where the request goes. A proxy may have given the request
// another Host; then the public URL tells.
bool is_own(const std::string& text, const httplib::Request& request, const PublicUrl& public_url) {
  const auto origin = origin_of(text);
  if (!origin) return false;
  const auto own = origin_of(origin->scheme + "://" + request.get_header_value("Host"));
  return own == origin || origin_of(public_url()) == origin;
}

Error cross_site(const std::string& from) {
  return {kCrossSite, "a page of another web site (" + from + ") has sent this request",
          "If that page may use the API, start the gateway with --cors-origin and the page's "
          "scheme, host and port."};
}

}  // namespace

std::optional<Error> refuse_host(const httplib::Request& request, const BrowserRules& rules,
                                 const PublicUrl& public_url) {
  if (!request.has_header("Host")) return std::nullopt;
  const auto host = parse_authority(trimmed(request.get_header_value("Host")));
  if (!host) return Error{kBadRequest, "the header Host is not a host"};
  if (is_fixed_host(host->host)) return std::nullopt;
  if (std::find(rules.hosts.begin(), rules.hosts.end(), host->host) != rules.hosts.end()) {
    return std::nullopt;
  }
  const auto published = origin_of(public_url());
  if (published && published->authority.host == host->host) return std::nullopt;
  return Error{kUnknownHost, '"' + host->host + "\" is not a name of this gateway",
               "If it should be, start the gateway with --host " + host->host +
                   ", or set imgpress.public_url."};
}

std::optional<Error> refuse_cross_site(const httplib::Request& request, const BrowserRules& rules,
                                       const PublicUrl& public_url) {
  if (is_allowed(request, rules)) return std::nullopt;
  const auto [first, last] = request.headers.equal_range("Origin");
  const auto other = std::find_if(
      first, last, [&](const auto& header) { return !is_own(header.second, request, public_url); });
  if (other != last) return cross_site(other->second);
  const std::string site = request.get_header_value("Sec-Fetch-Site");
  if (site.empty() || site == "same-origin" || site == "none") return std::nullopt;
  return cross_site("Sec-Fetch-Site: " + site);
}

bool is_preflight(const httplib::Request& request, const BrowserRules& rules) {
  return request.method == "OPTIONS" && request.has_header("Access-Control-Request-Method") &&
         is_allowed(request, rules);
}

void add_cors_headers(const httplib::Request& request, const BrowserRules& rules,
                      httplib::Response& response) {
  if (rules.cors_origins.empty()) return;
  const std::string vary = response.get_header_value("Vary");
  response.headers.erase("Vary");
  response.set_header("Vary", vary.empty() ? "Origin" : vary + ", Origin");
  if (!is_allowed(request, rules)) return;
  response.set_header("Access-Control-Allow-Origin", request.get_header_value("Origin"));
  response.set_header("Access-Control-Expose-Headers",
                      "ETag, Location, Retry-After, WWW-Authenticate");
  if (!is_preflight(request, rules)) return;
  response.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match");
  response.set_header("Access-Control-Max-Age", kPreflightSeconds);
}

}  // namespace imgpress::gateway
