// Downloads only of what has changed: validators, and answers that say "not modified".
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

constexpr const char* kOldDate = "Sun, 06 Nov 1994 08:49:37 GMT";

OriginAnswer not_modified(const std::string& more_headers = "") {
  return {"HTTP/1.1 304 Not Modified\r\n" + more_headers + "\r\n"};
}

wire::FetchRequest conditional(const std::string& url, const std::string& etag,
                               const std::string& last_modified = "") {
  wire::FetchRequest request = RealFetcher::get_request(url);
  request.etag = etag;
  request.last_modified = last_modified;
  return request;
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

TEST(FetcherConditionTest, ADownloadHasADigestAndItsValidators) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    EXPECT_FALSE(contains(request.headers, "If-")) << request.headers;
    return answer("200 OK", "abc",
                  std::string("ETag: W/\"v1\"\r\nLast-Modified: ") + kOldDate + "\r\n");
  });
  RealFetcher fetcher;
  const Fetched got = fetcher.get(origin.url("/a.jpg"));
  EXPECT_EQ(got.body, "abc");
  EXPECT_FALSE(got.reply.not_modified);
  EXPECT_EQ(got.reply.etag, "W/\"v1\"");
  EXPECT_EQ(got.reply.last_modified, kOldDate);
  EXPECT_EQ(hex(got.reply.digest),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(FetcherConditionTest, TheDigestIsThatOfALongBody) {
  const std::string body(900'000, 'a');
  ScriptedOrigin origin([&](const OriginRequest&) { return answer("200 OK", body); });
  RealFetcher fetcher;
  const Fetched first = fetcher.get(origin.url("/a.jpg"));
  const Fetched second = fetcher.get(origin.url("/b.jpg"));
  EXPECT_EQ(first.reply.digest.size(), 32u);
  EXPECT_EQ(first.reply.digest, second.reply.digest);
  EXPECT_EQ(first.reply.etag, "");
}

TEST(FetcherConditionTest, WhatIsNotModifiedIsNotDownloaded) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    EXPECT_TRUE(contains(request.headers, "If-None-Match: \"v1\"\r\n")) << request.headers;
    EXPECT_TRUE(contains(request.headers, std::string("If-Modified-Since: ") + kOldDate + "\r\n"));
    return not_modified();
  });
  RealFetcher fetcher;
  const Fetched got = fetcher.fetch(conditional(origin.url("/a.jpg"), "\"v1\"", kOldDate));
  EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  EXPECT_TRUE(got.reply.not_modified);
  EXPECT_EQ(got.reply.http_status, 304u);
  EXPECT_FALSE(got.has_body);
  EXPECT_EQ(origin.requests(), 1);
}

TEST(FetcherConditionTest, WhatIsModifiedIsDownloaded) {
  ScriptedOrigin origin(
      [](const OriginRequest&) { return answer("200 OK", "new", "ETag: \"v2\"\r\n"); });
  RealFetcher fetcher;
  const Fetched got = fetcher.fetch(conditional(origin.url("/a.jpg"), "\"v1\""));
  EXPECT_EQ(got.body, "new");
  EXPECT_FALSE(got.reply.not_modified);
  EXPECT_EQ(got.reply.etag, "\"v2\"");
}

TEST(FetcherConditionTest, NotModifiedIsAFaultWhereNobodyHasAsked) {
  ScriptedOrigin origin([](const OriginRequest&) { return not_modified("ETag: \"v1\"\r\n"); });
  RealFetcher fetcher;
  const Fetched got = fetcher.get(origin.url("/a.jpg"));
  EXPECT_EQ(got.reply.fault, Fault::kHttpStatus);
  EXPECT_EQ(got.reply.http_status, 304u);
  EXPECT_FALSE(got.reply.not_modified);
}

// An ETag is worth something for its own URL only: two hosts may both count 1, 2, 3.
TEST(FetcherConditionTest, AnotherUrlIsNotBelievedThatNothingHasChanged) {
  std::mutex mutex;
  std::vector<std::string> seen;
  ScriptedOrigin other([&](const OriginRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex);
    seen.push_back(request.headers);
    return contains(request.headers, "If-None-Match")
               ? not_modified()
               : answer("200 OK", "moved", "ETag: \"1\"\r\n");
  });
  ScriptedOrigin origin([&](const OriginRequest&) { return redirect_to(other.url("/b.jpg")); });
  RealFetcher fetcher;
  const Fetched got = fetcher.fetch(conditional(origin.url("/a.jpg"), "\"1\""));
  EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  EXPECT_EQ(got.body, "moved");
  EXPECT_FALSE(got.reply.not_modified);
  EXPECT_EQ(got.reply.etag, "") << "of another URL";
  EXPECT_EQ(seen.size(), 2u);
}

TEST(FetcherConditionTest, WhatIsNoValidatorIsNeitherKeptNorSent) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    EXPECT_FALSE(contains(request.headers, "If-")) << request.headers;
    EXPECT_FALSE(contains(request.headers, "Smuggled")) << request.headers;
    return answer("200 OK", "abc", "ETag: *\r\nLast-Modified: today\r\n");
  });
  RealFetcher fetcher;
  const Fetched got =
      fetcher.fetch(conditional(origin.url("/a.jpg"), "*", "today\r\nSmuggled: yes"));
  EXPECT_EQ(got.body, "abc");
  EXPECT_EQ(got.reply.etag, "");
  EXPECT_EQ(got.reply.last_modified, "");
}

}  // namespace
}  // namespace imgpress::test
