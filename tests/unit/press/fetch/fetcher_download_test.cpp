// Downloads from origins that work as they should.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

using namespace std::chrono_literals;

TEST(FetcherDownloadTest, DeliversTheBytesSealed) {
  std::string image(300'000, '\0');
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<char>(i * 7 + i / 251);
  ScriptedOrigin origin([&](const OriginRequest&) { return answer("200 OK", image); });
  RealFetcher fetcher;
  const Fetched got = fetcher.get(origin.url("/a.jpg"));
  EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  EXPECT_EQ(got.reply.id, 1u);
  EXPECT_EQ(got.reply.http_status, 200u);
  EXPECT_EQ(got.reply.message, "");
  ASSERT_TRUE(got.has_body);  // receive() has checked the seals
  EXPECT_EQ(got.body, image);
}

TEST(FetcherDownloadTest, AnEmptyBodyIsNoFault) {
  ScriptedOrigin origin([](const OriginRequest&) { return answer("200 OK", ""); });
  RealFetcher fetcher;
  const Fetched got = fetcher.get(origin.url("/"));
  EXPECT_EQ(got.reply.fault, Fault::kNone);
  EXPECT_TRUE(got.has_body);
  EXPECT_EQ(got.body, "");
}

TEST(FetcherDownloadTest, ChunkedAndUnlimitedBodies) {
  ScriptedOrigin origin([](const OriginRequest& request) -> OriginAnswer {
    if (request.target == "/chunked") {
      return {
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"};
    }
    return {"HTTP/1.0 200 OK\r\n\r\nuntil the end", OriginAnswer::Then::kClose};
  });
  RealFetcher fetcher;
  EXPECT_EQ(fetcher.get(origin.url("/chunked")).body, "abcde");
  EXPECT_EQ(fetcher.get(origin.url("/close")).body, "until the end");
}

TEST(FetcherDownloadTest, KeepsConnectionsOpen) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    return request.target == "/missing" ? answer("404 Not Found", "<html>no</html>")
                                        : answer("200 OK", "image");
  });
  RealFetcher fetcher;
  for (int i = 0; i < 30; ++i) {
    fetcher.get(origin.url(i % 3 == 0 ? "/missing" : "/" + std::to_string(i)));
  }
  EXPECT_EQ(origin.requests(), 30);
  EXPECT_EQ(origin.connections(), 1);
}

TEST(FetcherDownloadTest, SpacesAndForeignCharactersAreEncoded) {
  ScriptedOrigin origin(
      [](const OriginRequest& request) { return answer("200 OK", request.target); });
  RealFetcher fetcher;
  EXPECT_EQ(fetcher.get(origin.url("/my photo.jpg?size=1 2")).body, "/my%20photo.jpg?size=1+2");
  const std::string target = fetcher.get(" " + origin.url("/caf\xc3\xa9.jpg") + "\n").body;
  EXPECT_TRUE(target == "/caf%c3%a9.jpg" || target == "/caf%C3%A9.jpg") << target;
  EXPECT_EQ(fetcher.get(origin.url("/a%20b,w_300/100%.jpg")).body, "/a%20b,w_300/100%.jpg");
}

TEST(FetcherDownloadTest, NamesItselfAndAsksForNoCompression) {
  ScriptedOrigin origin(
      [](const OriginRequest& request) { return answer("200 OK", request.headers); });
  RealFetcher fetcher;
  const std::string headers = fetcher.get(origin.url("/")).body;
  EXPECT_NE(headers.find("User-Agent: imgpress-test/1\r\n"), std::string::npos) << headers;
  EXPECT_EQ(headers.find("Accept-Encoding"), std::string::npos) << headers;
}

TEST(FetcherDownloadTest, ManyTransfersAtOnce) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    OriginAnswer slow = answer("200 OK", request.target);
    slow.thinking_time = 300ms;
    return slow;
  });
  RealFetcher fetcher;
  constexpr std::uint64_t kTransfers = 200;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t id = 1; id <= kTransfers; ++id) {
    fetcher.press().socket().send(
        RealFetcher::get_request(origin.url("/" + std::to_string(id)), id));
  }
  std::map<std::uint64_t, std::string> bodies;
  for (std::uint64_t i = 0; i < kTransfers; ++i) {
    const Fetched got = fetcher.receive();
    bodies[got.reply.id] = got.body;
  }
  // One after the other would take a minute.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
  ASSERT_EQ(bodies.size(), kTransfers);
  for (const auto& [id, body] : bodies) EXPECT_EQ(body, "/" + std::to_string(id));
}

TEST(FetcherDownloadTest, KeepsToTheConnectionsPerHost) {
  ScriptedOrigin origin([](const OriginRequest&) {
    OriginAnswer slow = answer("200 OK", "image");
    slow.thinking_time = 20ms;
    return slow;
  });
  RealFetcher fetcher("127.0.0.0/8", {3});
  fetcher.request_many(origin.url("/"), 30);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(fetcher.receive().reply.fault, Fault::kNone);
  EXPECT_EQ(origin.most_connections_at_once(), 3);
}

TEST(FetcherDownloadTest, TheClockDoesNotRunWhileATransferWaitsItsTurn) {
  ScriptedOrigin origin([](const OriginRequest&) {
    OriginAnswer slow = answer("200 OK", "image");
    slow.thinking_time = 150ms;
    return slow;
  });
  RealFetcher fetcher("127.0.0.0/8", {1});
  for (std::uint64_t id = 1; id <= 8; ++id) {
    auto request = RealFetcher::get_request(origin.url("/"), id);
    request.timeout_ms = 800;
    fetcher.press().socket().send(request);
  }
  for (int i = 0; i < 8; ++i) {
    const Fetched got = fetcher.receive();
    EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  }
}

TEST(FetcherDownloadTest, ASlowHostDoesNotHoldUpAnother) {
  ScriptedOrigin hanging([](const OriginRequest&) -> OriginAnswer {
    return {"", OriginAnswer::Then::kHang};
  });
  ScriptedOrigin quick([](const OriginRequest&) { return answer("200 OK", "image"); });
  RealFetcher fetcher("127.0.0.0/8", {2});
  fetcher.request_many(hanging.url("/"), 50);
  const Fetched got = fetcher.fetch(RealFetcher::get_request(quick.url("/"), 99));
  EXPECT_EQ(got.reply.id, 99u);
  EXPECT_EQ(got.body, "image");
}

TEST(FetcherDownloadTest, WaitsForABackendThatIsSlowToRead) {
  ScriptedOrigin origin([](const OriginRequest&) { return answer("200 OK", "image"); });
  RealFetcher fetcher("127.0.0.0/8", {8});
  constexpr std::uint64_t kTransfers = 1500;  // far more replies than a socket buffer holds
  auto& socket = fetcher.press().socket();
  socket.set_nonblocking();
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  while (received < kTransfers) {
    while (sent < kTransfers && socket.send(RealFetcher::get_request(origin.url("/"), sent)) ==
                                    PacketSocket::Sent::kYes) {
      ++sent;
    }
    const Fetched got = fetcher.receive();
    ASSERT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
    ++received;
  }
  EXPECT_EQ(origin.requests(), static_cast<int>(kTransfers));
}

// Bytes of memory of its own that a process holds.
long own_memory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    long kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return 1024 * kilobytes;
  }
  return -1;
}

TEST(FetcherDownloadTest, KeepsNothingOfATransfer) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps what is freed for a while";
#endif
  ScriptedOrigin origin(
      [](const OriginRequest&) { return answer("200 OK", "image", "Set-Cookie: visit=1\r\n"); });
  RealFetcher fetcher;
  const auto fetch = [&](int times) {
    while (times-- > 0) fetcher.get(origin.url("/a.jpg"));
  };
  fetch(500);
  const long before = own_memory(fetcher.press().pid());
  fetch(4000);
  EXPECT_LT(own_memory(fetcher.press().pid()) - before, 100'000);
}

TEST(FetcherDownloadTest, FollowsRedirects) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    const int left = std::stoi(request.target.substr(1));
    return left == 0 ? answer("200 OK", "there") : redirect_to("/" + std::to_string(left - 1));
  });
  RealFetcher fetcher;
  EXPECT_EQ(fetcher.get(origin.url("/5")).body, "there");
  const Fetched lost = fetcher.get(origin.url("/6"));
  EXPECT_EQ(lost.reply.fault, Fault::kTooManyRedirects);
  EXPECT_FALSE(lost.has_body);
}

TEST(FetcherDownloadTest, EndsAtOnceWithItsBackend) {
  ScriptedOrigin hanging([](const OriginRequest&) -> OriginAnswer {
    return {"", OriginAnswer::Then::kHang};
  });
  ScriptedOrigin quick([](const OriginRequest&) { return answer("200 OK", "image"); });
  RealFetcher fetcher;
  fetcher.request_many(hanging.url("/"), 5);
  fetcher.get(quick.url("/"));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(fetcher.press().end(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

}  // namespace
}  // namespace imgpress::test
