#include "access/browser.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

httplib::Request request_with(const Headers& headers, const std::string& method = "GET") {
  httplib::Request request;
  request.method = method;
  for (const auto& [name, value] : headers) request.headers.emplace(name, value);
  return request;
}

std::string no_url() {
  return "";
}

std::string shop_url() {
  return "https://shop.example/imgpress";
}

BrowserRules rules() {
  return {{"nas"}, {*origin_of("https://admin.example")}};
}

std::string refusal_of_host(const std::string& host) {
  const auto error = refuse_host(request_with({{"Host", host}}), rules(), shop_url);
  return error ? std::string(error->code.name) : "";
}

TEST(RefuseHost, FixedAndNamedHostsPass) {
  for (const char* host : {"localhost", "LOCALHOST:8080", "localhost.:8080", "a.localhost",
                           "127.0.0.1", "127.0.0.1:1", "192.168.1.7:80", "[::1]", "[::1]:8080",
                           "[fe80::1]", "nas", "NAS.:8080", "shop.example", "Shop.Example:443"}) {
    EXPECT_EQ(refusal_of_host(host), "") << host;
  }
  EXPECT_FALSE(refuse_host(request_with({}), rules(), shop_url)) << "no browser";
}

TEST(RefuseHost, NamesThatOthersControlDoNot) {
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "evillocalhost", "127.0.0.1.evil.example", "shop.example.evil.example",
                           "1.2.3", "127.1", "0x7f000001", "nas.evil.example", "x--nas"}) {
    EXPECT_EQ(refusal_of_host(host), "unknown_host") << host;
  }
}

TEST(RefuseHost, WhatIsNoHostIsMalformed) {
  for (const char* host :
       {"", " ", ".", ":80", "a b", "nas, evil", "user@nas", "nas/", "nas:8o", "nas:", "[::1",
        "::1", "[nas]", "[]", "[::1]x", "nas:123456", "n\xc3\xa4s"}) {
    EXPECT_EQ(refusal_of_host(host), "bad_request") << host;
  }
}

TEST(RefuseHost, TheHintNamesTheOption) {
  const auto error = refuse_host(request_with({{"Host", "nas2"}}), rules(), no_url);
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find("\"nas2\""), std::string::npos);
  EXPECT_NE(error->hint.find("--host nas2"), std::string::npos);
}

bool crosses(const Headers& headers) {
  return refuse_cross_site(request_with(headers, "POST"), rules(), shop_url).has_value();
}

TEST(RefuseCrossSite, OwnPagesAndOtherClientsPass) {
  EXPECT_FALSE(crosses({{"Host", "nas:8080"}}));
  EXPECT_FALSE(crosses({{"Host", "nas:8080"}, {"Sec-Fetch-Site", "none"}}));
  EXPECT_FALSE(crosses({{"Host", "nas:8080"}, {"Sec-Fetch-Site", "same-origin"}}));
  EXPECT_FALSE(crosses({{"Host", "nas:8080"}, {"Origin", "http://nas:8080"}}));
  EXPECT_FALSE(crosses({{"Host", "[::1]:8080"}, {"Origin", "http://[::1]:8080"}}));
  EXPECT_FALSE(crosses({{"Host", "nas"}, {"Origin", "http://nas"}}));
  EXPECT_FALSE(crosses({{"Host", "nas"}, {"Origin", "https://nas"}})) << "TLS ends at a proxy";
  EXPECT_FALSE(crosses({{"Host", "127.0.0.1:8080"}, {"Origin", "https://shop.example"}}))
      << "a proxy that sets Host";
}

TEST(RefuseCrossSite, PagesOfOtherSitesDoNot) {
  for (const char* origin :
       {"https://evil.example", "null", "", "http://nas", "http://nas:8081", "https://nas:8080x",
        "http://evil.example:8080", "http://nas.evil.example:8080", "http://shop.example",
        "https://shop.example:8443", "https://shop.example.evil.example", "file://", "nas:8080",
        "http://admin.example", "https://admin.example:8080",
        "http://nas:8080 https://a.example"}) {
    EXPECT_TRUE(crosses({{"Host", "nas:8080"}, {"Origin", origin}})) << origin;
  }
  for (const char* site : {"cross-site", "same-site", "Same-Origin", "x"}) {
    EXPECT_TRUE(crosses({{"Host", "nas:8080"}, {"Sec-Fetch-Site", site}})) << site;
  }
  EXPECT_TRUE(
      crosses({{"Host", "nas"}, {"Origin", "http://nas"}, {"Origin", "https://evil.example"}}));
  EXPECT_TRUE(crosses(
      {{"Host", "nas"}, {"Origin", "https://admin.example"}, {"Origin", "https://evil.example"}}));
}

TEST(RefuseCrossSite, AnAllowedSitePasses) {
  EXPECT_FALSE(crosses({{"Host", "nas:8080"},
                        {"Origin", "https://admin.example"},
                        {"Sec-Fetch-Site", "cross-site"}}));
  EXPECT_FALSE(crosses({{"Host", "nas:8080"}, {"Origin", "https://admin.example:443"}}));
}

TEST(Cors, OnlyForAllowedSites) {
  const Headers asks = {{"Origin", "https://admin.example"},
                        {"Access-Control-Request-Method", "POST"}};
  const Headers evil_asks = {{"Origin", "https://evil.example"},
                             {"Access-Control-Request-Method", "POST"}};
  EXPECT_TRUE(is_preflight(request_with(asks, "OPTIONS"), rules()));
  EXPECT_FALSE(is_preflight(request_with(asks, "GET"), rules()));
  EXPECT_FALSE(is_preflight(request_with(evil_asks, "OPTIONS"), rules()));
  EXPECT_FALSE(is_preflight(request_with(asks, "OPTIONS"), {}));

  httplib::Response allowed;
  allowed.set_header("Vary", "Accept-Encoding");
  add_cors_headers(request_with(asks), rules(), allowed);
  EXPECT_EQ(allowed.get_header_value("Access-Control-Allow-Origin"), "https://admin.example");
  EXPECT_EQ(allowed.get_header_value("Vary"), "Accept-Encoding, Origin");

  httplib::Response denied;
  add_cors_headers(request_with(evil_asks), rules(), denied);
  EXPECT_FALSE(denied.has_header("Access-Control-Allow-Origin"));
  EXPECT_EQ(denied.get_header_value("Vary"), "Origin") << "a cache must not mix the two up";

  httplib::Response plain;
  add_cors_headers(request_with(asks), {}, plain);
  EXPECT_TRUE(plain.headers.empty());
}

}  // namespace
}  // namespace imgpress::gateway
