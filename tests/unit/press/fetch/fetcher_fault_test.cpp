// The fetcher's replies for faulty origins and URLs; none of them may stop it.
#include <gtest/gtest.h>

#include <string>

#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

using Then = OriginAnswer::Then;
using namespace std::chrono_literals;

class FetcherFaultTest : public ::testing::Test {
 protected:
  // The fetcher still works after any fault.
  void TearDown() override {
    ScriptedOrigin healthy([](const OriginRequest&) { return answer("200 OK", "image"); });
    EXPECT_EQ(fetcher_.get(healthy.url("/")).body, "image");
  }
  Fetched get_from(OriginAnswer what) {
    ScriptedOrigin origin([&](const OriginRequest&) { return what; });
    return fetcher_.get(origin.url("/a.jpg"));
  }
  Fault fault_of_url(const std::string& url) { return fetcher_.get(url).reply.fault; }

  RealFetcher fetcher_;
};

TEST_F(FetcherFaultTest, ErrorStatus) {
  const Fetched got = get_from(answer("404 Not Found", "<html>nothing here</html>"));
  EXPECT_EQ(got.reply.fault, Fault::kHttpStatus);
  EXPECT_EQ(got.reply.http_status, 404u);
  EXPECT_TRUE(contains(got.reply.message, "HTTP 404 Not Found")) << got.reply.message;
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.1")) << got.reply.message;
  EXPECT_FALSE(got.has_body);
}

TEST_F(FetcherFaultTest, ErrorStatusWithAnEndlessPage) {
  const Fetched got = get_from({"HTTP/1.1 500 Oops\r\n\r\n", Then::kRepeatBytes, "oops"});
  EXPECT_EQ(got.reply.fault, Fault::kHttpStatus);
  EXPECT_EQ(got.reply.http_status, 500u);
}

TEST_F(FetcherFaultTest, NotModifiedIsAFault) {
  EXPECT_EQ(get_from({"HTTP/1.1 304 Not Modified\r\n\r\n"}).reply.fault, Fault::kHttpStatus);
}

TEST_F(FetcherFaultTest, RetryAfterIsReported) {
  const Fetched got = get_from(answer("429 Too Many Requests", "", "Retry-After: 120\r\n"));
  EXPECT_EQ(got.reply.fault, Fault::kHttpStatus);
  EXPECT_EQ(got.reply.http_status, 429u);
  EXPECT_EQ(got.reply.retry_after_seconds, 120u);
  EXPECT_EQ(get_from(answer("503 Busy", "", "retry-after: 7\r\n")).reply.retry_after_seconds, 7u);
  EXPECT_EQ(get_from(answer("503 Busy", "")).reply.retry_after_seconds, 0u);
}

TEST_F(FetcherFaultTest, TruncatedBody) {
  const Fetched got =
      get_from({"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this", Then::kClose});
  EXPECT_EQ(got.reply.fault, Fault::kConnection);
  EXPECT_FALSE(got.has_body);
  const Fetched chunked =
      get_from({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", Then::kClose});
  EXPECT_EQ(chunked.reply.fault, Fault::kConnection);
}

TEST_F(FetcherFaultTest, NoAnswerAndNoHttp) {
  EXPECT_EQ(get_from({"", Then::kClose}).reply.fault, Fault::kConnection);
  EXPECT_EQ(get_from({"SSH-2.0-OpenSSH\r\n", Then::kClose}).reply.fault, Fault::kConnection);
}

TEST_F(FetcherFaultTest, TooLargeByContentLength) {
  const Fetched got = get_from({"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n", Then::kHang});
  EXPECT_EQ(got.reply.fault, Fault::kTooLarge);
  EXPECT_TRUE(contains(got.reply.message, "1000000 bytes")) << got.reply.message;
}

TEST_F(FetcherFaultTest, TooLargeWithoutContentLength) {
  const Fetched got = get_from({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                Then::kRepeatBytes, "10\r\n0123456789abcdef\r\n"});
  EXPECT_EQ(got.reply.fault, Fault::kTooLarge);
  EXPECT_EQ(got.reply.http_status, 200u);
  EXPECT_FALSE(got.has_body);
}

TEST_F(FetcherFaultTest, ExactlyTheLargestSizePasses) {
  EXPECT_EQ(get_from(answer("200 OK", std::string(1'000'000, 'x'))).body.size(), 1'000'000u);
  const Fetched streamed =
      get_from({"HTTP/1.1 200 OK\r\n\r\n" + std::string(1'000'000, 'x'), Then::kClose});
  EXPECT_EQ(streamed.reply.fault, Fault::kNone) << streamed.reply.message;
  EXPECT_EQ(streamed.body.size(), 1'000'000u);
}

TEST_F(FetcherFaultTest, HangingOrigin) {
  ScriptedOrigin origin([](const OriginRequest& request) -> OriginAnswer {
    return {request.target == "/body" ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc" : "",
            Then::kHang};
  });
  for (const char* target : {"/head", "/body"}) {
    auto request = RealFetcher::get_request(origin.url(target));
    request.timeout_ms = 200;
    const Fetched got = fetcher_.fetch(request);
    EXPECT_EQ(got.reply.fault, Fault::kTimeout) << target;
    EXPECT_TRUE(contains(got.reply.message, "200 ms")) << got.reply.message;
    EXPECT_FALSE(got.has_body);
  }
}

TEST_F(FetcherFaultTest, RefusedConnection) {
  std::string url;
  {
    ScriptedOrigin gone([](const OriginRequest&) { return answer("200 OK", ""); });
    url = gone.url("/");
  }
  const Fetched got = fetcher_.get(url);
  EXPECT_EQ(got.reply.fault, Fault::kConnection);
  EXPECT_EQ(got.reply.http_status, 0u);
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.1")) << got.reply.message;
}

TEST_F(FetcherFaultTest, UnknownHost) {
  // A label of 64 characters is refused without asking any server.
  const std::string host = std::string(64, 'a') + ".invalid";
  const Fetched got = fetcher_.get("http://" + host + "/");
  EXPECT_EQ(got.reply.fault, Fault::kConnection);
  EXPECT_TRUE(contains(got.reply.message, host)) << got.reply.message;
}

TEST_F(FetcherFaultTest, BadUrls) {
  for (const char* url :
       {"", "   ", "image.jpg", "/etc/passwd", "file:///etc/passwd", "ftp://127.0.0.1/a.jpg",
        "gopher://127.0.0.1/", "data:image/png;base64,AAAA", "http://", "http:///a.jpg",
        "http://user:secret@127.0.0.1/a.jpg", "http://user@127.0.0.1/", "http://127.0.0.1:99999/",
        "http://a b/", "http://127.0.0.1/a\x01.jpg", "http://[::1/", "javascript:alert(1)"}) {
    const Fetched got = fetcher_.get(url);
    EXPECT_EQ(got.reply.fault, Fault::kBadUrl) << url << ": " << got.reply.message;
    EXPECT_NE(got.reply.message, "");
    EXPECT_FALSE(contains(got.reply.message, "secret"));
  }
}

TEST_F(FetcherFaultTest, RedirectsToOtherSchemes) {
  EXPECT_EQ(get_from(redirect_to("file:///etc/passwd")).reply.fault, Fault::kBadUrl);
  EXPECT_EQ(get_from(redirect_to("ftp://127.0.0.1/")).reply.fault, Fault::kBadUrl);
  EXPECT_EQ(get_from(redirect_to("http://user:secret@127.0.0.1/")).reply.fault, Fault::kBadUrl);
}

TEST_F(FetcherFaultTest, RedirectLoop) {
  const Fetched got = get_from(redirect_to("/a.jpg"));
  EXPECT_EQ(got.reply.fault, Fault::kTooManyRedirects);
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.1")) << got.reply.message;
}

TEST_F(FetcherFaultTest, MessagesArePrintableAndShort) {
  const std::string hostile = "http://" + std::string(3000, 'a') + "\xe9\x07.example/";
  for (const Fetched& got : {get_from(redirect_to(hostile)), fetcher_.get(hostile)}) {
    EXPECT_NE(got.reply.fault, Fault::kNone);
    EXPECT_LE(got.reply.message.size(), 500u);
    for (const char c : got.reply.message) EXPECT_TRUE(c >= ' ' && c <= '~') << int{c};
  }
}

TEST_F(FetcherFaultTest, ManyHeadersDoNoHarm) {
  const Fetched got = get_from(
      {"HTTP/1.1 200 OK\r\n", Then::kRepeatBytes, "X-Noise: " + std::string(500, 'x') + "\r\n"});
  EXPECT_EQ(got.reply.fault, Fault::kConnection) << got.reply.message;
}

TEST_F(FetcherFaultTest, WebhookDelivery) {
  OriginRequest seen;
  ScriptedOrigin origin([&](const OriginRequest& request) {
    seen = request;
    return answer("204 No Content", "");
  });
  auto request = RealFetcher::post_request(origin.url("/hook?a=1"));
  request.headers = {"content-type: application/json", "webhook-id: msg_1"};
  request.body = "{\"status\":\"Completed\"}";
  const Fetched got = fetcher_.fetch(request);
  EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  EXPECT_EQ(got.reply.http_status, 204u);
  EXPECT_FALSE(got.has_body);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/hook?a=1");
  EXPECT_EQ(seen.body, request.body);
  EXPECT_TRUE(contains(seen.headers, "content-type: application/json\r\n")) << seen.headers;
  EXPECT_TRUE(contains(seen.headers, "webhook-id: msg_1\r\n")) << seen.headers;
  EXPECT_FALSE(contains(seen.headers, "Expect:")) << seen.headers;
}

TEST_F(FetcherFaultTest, AWebhookSucceedsOnlyWithAStatusOfSuccess) {
  ScriptedOrigin origin([](const OriginRequest& request) -> OriginAnswer {
    if (request.target == "/moved") return redirect_to("/elsewhere");
    if (request.target == "/chatty") {
      return {"HTTP/1.1 200 OK\r\n\r\n", Then::kRepeatBytes, "blah "};
    }
    return answer("410 Gone", "");
  });
  auto request = RealFetcher::post_request(origin.url("/moved"));
  request.max_bytes = 1000;
  const Fetched moved = fetcher_.fetch(request);
  EXPECT_EQ(moved.reply.fault, Fault::kHttpStatus);
  EXPECT_EQ(moved.reply.http_status, 302u);
  EXPECT_EQ(origin.requests(), 1);
  request.url = origin.url("/gone");
  EXPECT_EQ(fetcher_.fetch(request).reply.http_status, 410u);
  request.url = origin.url("/chatty");
  EXPECT_EQ(fetcher_.fetch(request).reply.fault, Fault::kNone);
}

}  // namespace
}  // namespace imgpress::test
