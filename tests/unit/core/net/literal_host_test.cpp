#include "core/net/literal_host.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

std::string literal(const std::string& url) {
  const auto host = literal_host(url);
  return host ? host->address.to_string() + " " + std::to_string(host->port) : "";
}

TEST(LiteralHost, KnowsTheSpellingsOfAnIpv4Address) {
  for (const char* host :
       {"127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0X7F.1",
        "0177.0.0.1", "0x7f.0.0x0.01", "127.0.0.1.", "%31%32%37.0.0.1", "127%2e0%2E0%2e1",
        "127\u30020\uff0e0\uff611", "\uff11\uff12\uff17.0.0.1", "\uff10\uff58\uff17\uff26.1",
        "user:secret@127.0.0.1", "a@b@127.1"}) {
    EXPECT_EQ(literal("http://" + std::string(host) + "/a"), "127.0.0.1 80") << host;
    EXPECT_EQ(literal("HTTPS://" + std::string(host)), "127.0.0.1 443") << host;
    EXPECT_EQ(literal("http://" + std::string(host) + ":8080?x"), "127.0.0.1 8080") << host;
  }
}

TEST(LiteralHost, KnowsTheSpellingsOfAnIpv6Address) {
  EXPECT_EQ(literal("http://[::1]/"), "::1 80");
  EXPECT_EQ(literal("https://[::FFFF:127.0.0.1]:80/"), "::ffff:127.0.0.1 80");
  EXPECT_EQ(literal("http://[fe80::1%25eth0]:81/"), "fe80::1 81");
  EXPECT_EQ(literal("http://[fe80::1%eth0]"), "fe80::1 80");
  EXPECT_EQ(literal("http://user@[::1]#x"), "::1 80");
}

TEST(LiteralHost, NamesAndNonsenseAreNone) {
  for (const char* url : {"",
                          "ftp://127.0.0.1/",
                          "http://",
                          "http:///127.0.0.1",
                          "http://example.com/",
                          "http://localhost/",
                          "http://127.0.0.1.example.com/",
                          "http://1.2.3.4.5/",
                          "http://[::1",
                          "http://[127.0.0.1]/",
                          "http://::1/",
                          "http://[::1]x/",
                          "http://127.0.0.1:http/",
                          "http://127.0.0.1:65536/",
                          "http://300.1.1.1/",
                          "http://08.1/",
                          "http://..",
                          "http://.",
                          "http://127.0.0.1 x/",
                          "http://%",
                          "http://%2",
                          "http://\xef\xbc",
                          "http://[]"}) {
    EXPECT_EQ(literal(url), "") << url;
  }
}

}  // namespace
}  // namespace imgpress
