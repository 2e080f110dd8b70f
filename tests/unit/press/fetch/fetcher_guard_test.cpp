// The address guard in the real process: it never connects to an address that is not allowed.
#include <gtest/gtest.h>

#include <string>

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

TEST(FetcherGuardTest, OtherSpellingsOfLoopbackAreDenied) {
  ScriptedOrigin origin(image);
  const std::string port = std::to_string(origin.port());
  RealFetcher fetcher("");
  for (const char* host :
       {"localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "0", "[::1]",
        "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"}) {
    const Fetched got = fetcher.get("http://" + std::string(host) + ":" + port + "/");
    EXPECT_EQ(got.reply.fault, Fault::kAddressDenied) << host << ": " << got.reply.message;
  }
  EXPECT_EQ(origin.connections(), 0);
}

TEST(FetcherGuardTest, RedirectsIntoADeniedNetworkAreNotFollowed) {
  ScriptedOrigin secret(image);
  // 127.0.0.1 is allowed, 127.0.0.2 is not.
  const std::string target = "http://127.0.0.2:" + std::to_string(secret.port()) + "/";
  ScriptedOrigin origin([&](const OriginRequest&) { return redirect_to(target); });
  RealFetcher fetcher("127.0.0.1");
  const Fetched got = fetcher.get(origin.url("/a.jpg"));
  EXPECT_EQ(got.reply.fault, Fault::kAddressDenied);
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.2")) << got.reply.message;
  EXPECT_EQ(origin.requests(), 1);
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
