// What a browser may do here on behalf of other web sites: nothing, unless an option allows it.
//
// A page of any site can send requests to any address that its visitor's browser reaches, this
// gateway on localhost for example. The browser tells where a request comes from, in Origin and
// Sec-Fetch-Site. If the site's own name points to this gateway ("DNS rebinding"), the browser
// takes both for the same site; but then Host has the site's name.
#pragma once

#include <httplib.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "access/authority.hpp"
#include "http/errors.hpp"

namespace imgpress::gateway {

struct BrowserRules {
  std::vector<std::string> hosts;    // further names of this gateway, in lower case
  std::vector<Origin> cors_origins;  // web sites whose pages may use the API
};

// Returns the URL at which clients reach the gateway; empty if it is not known.
using PublicUrl = std::function<std::string()>;

// Why the header Host is refused; no value if the host is fixed, or named by the rules or the
// public URL, or if there is no such header: every browser sends it.
std::optional<Error> refuse_host(const httplib::Request& request, const BrowserRules& rules,
                                 const PublicUrl& public_url);

// Why the request is refused, if a page of another site has sent it; no value if none has.
// REQUIRES: there is at most one header Host
std::optional<Error> refuse_cross_site(const httplib::Request& request, const BrowserRules& rules,
                                       const PublicUrl& public_url);

// True if a browser asks whether a page of an allowed site may send a request.
bool is_preflight(const httplib::Request& request, const BrowserRules& rules);

// Tells the browser that the page of an allowed site may read this answer, or send the request that
// it has asked for.
void add_cors_headers(const httplib::Request& request, const BrowserRules& rules,
                      httplib::Response& response);

}  // namespace imgpress::gateway
