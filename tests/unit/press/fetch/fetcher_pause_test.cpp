// Hosts that ask for a pause: 429 or 503 with Retry-After.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "support/gate.hpp"
#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

using namespace std::chrono_literals;

OriginAnswer ask_for_pause(int seconds) {
  return answer("429 Too Many Requests", "", "Retry-After: " + std::to_string(seconds) + "\r\n");
}

TEST(FetcherPauseTest, ALongPauseSendsBackWhatWaitsAndWhatComes) {
  ScriptedOrigin origin([](const OriginRequest&) { return ask_for_pause(120); });
  RealFetcher fetcher("127.0.0.0/8", {1});
  fetcher.request_many(origin.url("/"), 5);
  const Fetched asked = fetcher.receive();
  EXPECT_FALSE(asked.reply.postponed);
  EXPECT_EQ(asked.reply.http_status, 429u);
  for (int i = 0; i < 5; ++i) {
    const Fetched postponed = i < 4 ? fetcher.receive() : fetcher.get(origin.url("/late.jpg"));
    EXPECT_TRUE(postponed.reply.postponed);
    EXPECT_EQ(postponed.reply.fault, Fault::kHttpStatus);
    EXPECT_EQ(postponed.reply.http_status, 0u);
    EXPECT_NEAR(postponed.reply.retry_after_seconds, 120, 10);
    const std::string host = "127.0.0.1:" + std::to_string(origin.port());
    EXPECT_EQ(postponed.reply.message.find(host + " has asked for a pause"), 0u);
  }
  EXPECT_EQ(origin.requests(), 1);
}

TEST(FetcherPauseTest, AShortPauseIsWaitedFor) {
  std::atomic<int> requests{0};
  ScriptedOrigin origin([&](const OriginRequest&) {
    return requests++ == 0 ? ask_for_pause(1) : answer("200 OK", "image");
  });
  RealFetcher fetcher;
  EXPECT_EQ(fetcher.get(origin.url("/1")).reply.http_status, 429u);
  const auto begin = std::chrono::steady_clock::now();
  auto request = RealFetcher::get_request(origin.url("/2"));
  request.timeout_ms = 500;  // runs from the start of the transfer only
  EXPECT_EQ(fetcher.fetch(request).body, "image");
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 800ms);
}

TEST(FetcherPauseTest, AShortPauseHoldsNoMoreThanMayStartAtItsEnd) {
  ScriptedOrigin origin([](const OriginRequest&) { return ask_for_pause(2); });
  RealFetcher fetcher("127.0.0.0/8", {1});
  fetcher.request_many(origin.url("/"), 20);
  EXPECT_FALSE(fetcher.receive().reply.postponed);
  int postponed = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (fetcher.receive().reply.postponed) ++postponed;  // then those that were held
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_GE(postponed, 13) << "six may be under way at once";
}

TEST(FetcherPauseTest, OtherHostsAndWebhooksGoOn) {
  ScriptedOrigin paused([](const OriginRequest& request) {
    return request.method == "POST" ? answer("204 No Content", "") : ask_for_pause(120);
  });
  ScriptedOrigin other([](const OriginRequest&) { return answer("200 OK", "image"); });
  RealFetcher fetcher;
  fetcher.get(paused.url("/"));
  EXPECT_EQ(fetcher.get(other.url("/")).body, "image");
  auto hook = RealFetcher::post_request(paused.url("/hook"));
  EXPECT_EQ(fetcher.fetch(hook).reply.http_status, 204u);
}

TEST(FetcherPauseTest, AWebhookThatIsRefusedPausesNothing) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    return request.method == "POST" ? ask_for_pause(120) : answer("200 OK", "image");
  });
  RealFetcher fetcher;
  auto hook = RealFetcher::post_request(origin.url("/hook"));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(fetcher.fetch(hook).reply.http_status, 429u);
  EXPECT_EQ(fetcher.get(origin.url("/")).body, "image");
}

TEST(FetcherPauseTest, ARuleSendsBackWhatWaitsAndWhatComes) {
  Gate gate;
  ScriptedOrigin origin([&](const OriginRequest&) {
    gate.arrive_and_wait();
    return answer("200 OK", "image");
  });
  RealFetcher fetcher("127.0.0.0/8", {1});
  fetcher.request_many(origin.url("/"), 3);
  while (!gate.has_arrived()) std::this_thread::yield();
  const std::string host = "127.0.0.1:" + std::to_string(origin.port());
  fetcher.press().socket().send(wire::HostRules{true, {{host, 0, 0, true}}});
  for (int i = 0; i < 3; ++i) {
    const Fetched postponed = i < 2 ? fetcher.receive() : fetcher.get(origin.url("/late.jpg"));
    EXPECT_TRUE(postponed.reply.postponed);
    EXPECT_EQ(postponed.reply.retry_after_seconds, 1u);
    EXPECT_EQ(postponed.reply.message, host + " is paused in imgpress.hosts");
  }
  gate.open();
  EXPECT_EQ(fetcher.receive().body, "image") << "what was under way goes on";
  fetcher.press().socket().send(wire::HostRules{});
  EXPECT_EQ(fetcher.get(origin.url("/again.jpg")).body, "image");
  EXPECT_EQ(origin.requests(), 2);
}

TEST(FetcherPauseTest, AnInternationalNameInARuleIsThatOfTheUrl) {
  RealFetcher fetcher;
  fetcher.press().socket().send(wire::HostRules{true,
                                                {{"*.b\xc3\xbc"
                                                  "cher.invalid",
                                                  0, 0, true}}});
  EXPECT_TRUE(fetcher.get("http://a.xn--bcher-kva.invalid/").reply.postponed);
  const Fetched same = fetcher.get(
      "http://a.b\xc3\xbc"
      "cher.invalid/");
  EXPECT_TRUE(same.reply.postponed);
  EXPECT_EQ(same.reply.retry_after_seconds, 30u) << "a claim may not recognise it";
}

TEST(FetcherPauseTest, WhatFindsNoPlaceInALimitedRateIsSentBackWithATime) {
  ScriptedOrigin origin([](const OriginRequest&) { return answer("200 OK", "image"); });
  RealFetcher fetcher;
  const std::string host = "127.0.0.1:" + std::to_string(origin.port());
  fetcher.press().socket().send(wire::HostRules{true, {{host, 4'000'000, 0, false}}});
  fetcher.request_many(origin.url("/"), 5);  // one starts, two wait here
  int postponed = 0;
  for (int i = 0; i < 5; ++i) {  // in any order: at least two come back, and those that wait here
    if (i == 3) fetcher.press().socket().send(wire::HostRules{});  // start with the rule gone
    const Fetched fetched = fetcher.receive();
    if (!fetched.reply.postponed) {
      EXPECT_EQ(fetched.body, "image");
      continue;
    }
    ++postponed;
    EXPECT_GE(fetched.reply.retry_after_seconds, 9u);
    EXPECT_LE(fetched.reply.retry_after_seconds, 17u);
  }
  EXPECT_TRUE(postponed == 2 || postponed == 3) << postponed;
}

}  // namespace
}  // namespace imgpress::test
