// The address guard in the real process: it never connects to an address that is not allowed.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "support/network/network_namespace.hpp"
#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

OriginAnswer image(const OriginRequest&) {
  return answer("200 OK", "image");
}

TEST(FetcherGuardTest, LoopbackIsDeniedUnlessAllowed) {
  ScriptedOrigin origin(image);
  RealFetcher fetcher("");
  const Fetched got = fetcher.get(origin.url("/a.jpg"));
  EXPECT_EQ(got.reply.fault, Fault::kAddressDenied);
  EXPECT_EQ(got.reply.http_status, 0u);
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.1:" + std::to_string(origin.port())));
  EXPECT_TRUE(contains(got.reply.message, "loopback")) << got.reply.message;
  EXPECT_TRUE(contains(got.reply.message, "imgpress.allowed_networks")) << got.reply.message;
  EXPECT_EQ(origin.connections(), 0);
}

// The spellings of an IPv4 address that some library or other takes for it.
std::vector<std::string> spellings(std::uint8_t last_byte) {
  std::array<char, 1000> text{};
  const unsigned n = last_byte;
  std::snprintf(
      text.data(), text.size(),
      "127.0.0.%1$u 127.%1$u 127.0.%1$u %2$u 0x7f%1$06x 0X7F.0x0.0x0.0x%1$x 0177.0.0.0%1$o "
      "0177%1$08o 0x7f.%1$u 127.0.0.%1$u. %%31%%32%%37.0.0.%1$u 127%%2e0%%2E0%%2e%1$u "
      "127\u30020\uff0e0\uff61%1$u \uff11\uff12\uff17.0.0.%1$u \u2460\u2461\u2466.0.0.%1$u "
      "[::ffff:127.0.0.%1$u] [::ffff:7f00:%1$x] [0:0:0:0:0:FFFF:7F00:%1$04X] "
      "[::ffff:127.0.0.%1$u%%25lo] [64:ff9b::7f00:%1$x] [64:ff9b::127.0.0.%1$u] "
      "[::127.0.0.%1$u] [2002:7f00:%1$x::1] [2001:0:7f00:%1$x::1] [64:ff9b:1::7f00:%1$x]",
      n, (127U << 24) + n);
  std::istringstream words(text.data());
  return {std::istream_iterator<std::string>(words), {}};
}

// URLs that lead to the address, or to a mistake in reading them. `port` with its colon.
std::vector<std::string> odd_urls(std::uint8_t last_byte, const std::string& port) {
  std::vector<std::string> urls;
  for (const std::string& host : spellings(last_byte)) {
    for (const char* before : {"http://", "HTTP://", "http://example.com@", "http://a:b@", "//"}) {
      urls.push_back(before + host + port + "/a.jpg");
    }
  }
  const std::string host = "127.0.0." + std::to_string(last_byte) + port;
  for (const char* before :
       {"file://", "ftp://", "gopher://", "dict://", "telnet://", "ldap://", "smb://", "ws://",
        "http:///", "http:\\\\", "http:", "http://example.com\\@", "http://\t", "http://0.0.0.0@",
        "http://example.com%00@", "http://example.com%2f@", "http://[::1]@", "unix://"}) {
    urls.push_back(before + host + "/a.jpg");
  }
  return urls;
}

bool reached_nothing(const wire::FetchReply& reply) {
  const bool foreseen =
      reply.fault == Fault::kAddressDenied || reply.fault == Fault::kBadUrl ||
      (reply.fault == Fault::kConnection && contains(reply.message, "cannot resolve"));
  return foreseen && reply.http_status == 0;
}

TEST(FetcherGuardTest, OtherSpellingsOfLoopbackAreDenied) {
  ScriptedOrigin origin(image);
  RealFetcher fetcher("");
  std::vector<std::string> urls = odd_urls(1, ":" + std::to_string(origin.port()));
  for (const char* host : {"localhost", "0.0.0.0", "0", "[::1]", "[::]"}) {
    urls.push_back("http://" + std::string(host) + ":" + std::to_string(origin.port()) + "/");
  }
  int denied = 0;
  for (const std::string& url : urls) {
    for (const auto& request : {RealFetcher::get_request(url), RealFetcher::post_request(url)}) {
      const wire::FetchReply got = fetcher.fetch(request).reply;
      EXPECT_TRUE(reached_nothing(got)) << url << ": " << got.message;
      denied += got.fault == Fault::kAddressDenied ? 1 : 0;
    }
  }
  EXPECT_GT(denied, 80);
  EXPECT_EQ(origin.connections(), 0);
}

TEST(FetcherGuardTest, RedirectsToOtherSpellingsAreDenied) {
  ScriptedOrigin secret(image, "127.0.0.2");
  std::string target;
  ScriptedOrigin origin([&](const OriginRequest& request) {
    return request.target == "/a.jpg" ? redirect_to(target) : answer("404 Not Found", "");
  });
  RealFetcher fetcher("127.0.0.1");
  int denied = 0;
  for (const std::string& url : odd_urls(2, ":" + std::to_string(secret.port()))) {
    target = url;
    const wire::FetchReply got = fetcher.get(origin.url("/a.jpg")).reply;
    EXPECT_NE(got.fault, Fault::kNone) << url;
    denied += got.fault == Fault::kAddressDenied ? 1 : 0;
  }
  EXPECT_GT(denied, 40);
  EXPECT_EQ(secret.connections(), 0);
}

TEST(FetcherGuardTest, RedirectsIntoADeniedNetworkAreNotFollowed) {
  ScriptedOrigin secret(image, "127.0.0.2");
  ScriptedOrigin origin([&](const OriginRequest&) { return redirect_to(secret.url("/")); });
  RealFetcher fetcher("127.0.0.1");
  const Fetched got = fetcher.get(origin.url("/a.jpg"));
  EXPECT_EQ(got.reply.fault, Fault::kAddressDenied);
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.2")) << got.reply.message;
  EXPECT_EQ(origin.requests(), 1);
  EXPECT_EQ(secret.connections(), 0);
}

TEST(FetcherGuardTest, ARedirectDoesNotInheritTheFirstHostsPermission) {
  ScriptedOrigin origin(
      [](const OriginRequest&) { return redirect_to("http://169.254.169.254/"); });
  RealFetcher fetcher("127.0.0.0/8");
  const Fetched got = fetcher.get(origin.url("/"));
  EXPECT_EQ(got.reply.fault, Fault::kAddressDenied);
  EXPECT_TRUE(contains(got.reply.message, "169.254.169.254")) << got.reply.message;
}

TEST(FetcherGuardTest, PublicAddressesOnOtherPortsAreDenied) {
  RealFetcher fetcher("");
  const Fetched got = fetcher.get("http://93.184.216.34:8080/a.jpg");
  EXPECT_EQ(got.reply.fault, Fault::kAddressDenied);
  EXPECT_TRUE(contains(got.reply.message, "93.184.216.34")) << got.reply.message;
  EXPECT_TRUE(contains(got.reply.message, "8080")) << got.reply.message;
}

// Also an address that the machine has got since the fetcher started.
TEST(FetcherGuardTest, TheMachinesOwnPublicAddressesAreDenied) {
  run_in_network_namespace([] {
    RealFetcher fetcher("");
    for (const std::string address : {"93.184.216.34", "93.184.216.35", "2606:4700::77"}) {
      add_address(address);
      const bool is_v6 = address.find(':') != std::string::npos;
      const std::string url = "http://" + (is_v6 ? "[" + address + "]" : address) + "/";
      for (const auto& request : {RealFetcher::get_request(url), RealFetcher::post_request(url)}) {
        const Fetched got = fetcher.fetch(request);
        EXPECT_EQ(got.reply.fault, Fault::kAddressDenied) << got.reply.message;
        EXPECT_TRUE(contains(got.reply.message, "the database server itself"));
      }
    }
  });
}

TEST(FetcherGuardTest, WebhooksAreGuardedToo) {
  ScriptedOrigin origin(image);
  RealFetcher fetcher("");
  auto request = RealFetcher::post_request(origin.url("/hook"));
  EXPECT_EQ(fetcher.fetch(request).reply.fault, Fault::kAddressDenied);
  EXPECT_EQ(origin.connections(), 0);
}

TEST(FetcherGuardTest, NewSettingsApplyToConnectionsThatAreKeptOpen) {
  ScriptedOrigin origin(image);
  RealFetcher fetcher("127.0.0.0/8");
  EXPECT_EQ(fetcher.get(origin.url("/1")).reply.fault, Fault::kNone);
  fetcher.apply("10.0.0.0/8");
  EXPECT_EQ(fetcher.get(origin.url("/2")).reply.fault, Fault::kAddressDenied);
  EXPECT_EQ(origin.requests(), 1);
  fetcher.apply("10.0.0.0/8,127.0.0.1");
  EXPECT_EQ(fetcher.get(origin.url("/3")).reply.fault, Fault::kNone);
}

TEST(FetcherGuardTest, LoopbackIsDeniedBeforeTheFirstSettings) {
  ScriptedOrigin origin(image);
  RealPress press("fetcher");
  press.socket().send(RealFetcher::get_request(origin.url("/")));
  const Packet packet = press.receive();
  EXPECT_EQ(std::get<wire::FetchReply>(packet.message).fault, Fault::kAddressDenied);
  EXPECT_EQ(origin.connections(), 0);
}

}  // namespace
}  // namespace imgpress::test
