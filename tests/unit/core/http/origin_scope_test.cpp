#include "core/http/origin_scope.hpp"

#include <gtest/gtest.h>

#include "core/text/ascii.hpp"

namespace imgpress {
namespace {

bool is_in_scope(std::string_view url, std::string_view prefix = "https://cdn.example/private/") {
  const auto scope = origin_scope(prefix);
  const auto plain = plain_https_url(url);
  return scope && plain && starts_with(*plain, *scope);
}

TEST(OriginScope, IsAHostAndAPath) {
  EXPECT_TRUE(is_in_scope("https://cdn.example/private/a.jpg"));
  EXPECT_TRUE(is_in_scope("HTTPS://CDN.Example:443/private/a/b.jpg?size=1&x=/../#f"));
  EXPECT_TRUE(is_in_scope("https://cdn.example/private/.hidden/a%20b.jpg"));
  EXPECT_TRUE(is_in_scope("https://cdn.example:8443/a", "https://cdn.example:8443/"));
  EXPECT_TRUE(is_in_scope("https://cdn.example?x", "https://cdn.example/"));
  EXPECT_TRUE(is_in_scope("https://[2001:db8::1]:81/a", "https://[2001:DB8::1]:81/"));
}

TEST(OriginScope, EverythingElseIsOutside) {
  for (const char* url : {
           "http://cdn.example/private/a.jpg",
           "https://cdn.example:8443/private/a.jpg",
           "https://cdn.example/public/a.jpg",
           "https://cdn.example/Private/a.jpg",
           "https://cdn.example/private",
           "https://cdn.example.evil/private/",
           "https://evil.example/https://cdn.example/private/",
           "https://cdn.example@evil.example/private/",
           "https://user:x@cdn.example/private/a",
           "https://cdn.example./private/a",
           "https://cdn.example:/private/a",
           "https://cdn%2eexample/private/a",
           "https:/cdn.example/private/a",
           "https:///private/",
           "//cdn.example/private/a",
       }) {
    EXPECT_FALSE(is_in_scope(url)) << url;
  }
}

TEST(OriginScope, NoPathLeadsOutOfIt) {
  for (const char* path :
       {"../a",   "x/../../a",  "./a",   "..",   "..;/a", ".;/a",         "%2e%2e/a", "%2E./a",
        "..%2fa", "a%2F..%2Fb", "..\\a", "a\\b", "%5c..", "%252e%252e/a", "a\tb",     "a\nb",
        "%0d%0a", "%00",        "%",     "%g1",  "a b",   "\xc3\xa9",     "..a"}) {
    EXPECT_FALSE(is_in_scope(std::string("https://cdn.example/private/") + path)) << path;
  }
}

TEST(OriginScope, APrefixEndsWithASlash) {
  EXPECT_EQ(origin_scope("HTTPS://Cdn.example:443/A/"), "https://cdn.example/A/");
  for (const char* prefix :
       {"https://cdn.example", "https://cdn.example/a", "http://cdn.example/",
        "https://cdn.example/a/?b/", "https://", "https:///", "", "/", "https://*.example/",
        "https://cdn.example/a/../", "https://u@cdn.example/"}) {
    EXPECT_FALSE(origin_scope(prefix)) << prefix;
  }
}

}  // namespace
}  // namespace imgpress
