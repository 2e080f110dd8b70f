// Origins that send what was not requested: compressed bodies, cookies, parts of files.
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <atomic>
#include <string>

#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

// zlib's data format: 15 + 16 is gzip, 15 is deflate.
std::string compressed(const std::string& text, int window_bits = 15 + 16) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class FetcherEncodingTest : public ::testing::Test {
 protected:
  // Gets an image from an origin that gives this answer to every request.
  Fetched get_encoded(const std::string& encoding, const std::string& body) {
    requests_ = 0;
    ScriptedOrigin origin([&](const OriginRequest& request) {
      ++requests_;
      headers_ = request.headers;
      return answer("200 OK", body, "Content-Encoding: " + encoding + "\r\n");
    });
    return fetcher_.get(origin.url("/a.jpg"));
  }

  RealFetcher fetcher_;
  std::atomic<int> requests_{0};
  std::string headers_;
};

TEST_F(FetcherEncodingTest, CompressedBodiesAreDecoded) {
  const std::string image(200'000, 'i');
  for (const auto& [encoding, body] :
       {std::pair("gzip", compressed(image)), std::pair("x-gzip", compressed(image)),
        std::pair("deflate", compressed(image, 15)), std::pair("GZIP", compressed(image)),
        std::pair("gzip, gzip", compressed(compressed(image)))}) {
    const Fetched got = get_encoded(encoding, body);
    EXPECT_EQ(got.reply.fault, Fault::kNone) << encoding << ": " << got.reply.message;
    EXPECT_TRUE(got.body == image) << encoding;
    EXPECT_EQ(requests_, 1) << encoding;
    EXPECT_FALSE(contains(headers_, "Accept-Encoding")) << headers_;
  }
}

TEST_F(FetcherEncodingTest, BrotliIsDecodedWhereLibcurlSupportsIt) {
  if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_BROTLI) == 0) GTEST_SKIP();
  EXPECT_EQ(get_encoded("br", "\x0b\x02\x80hello\x03").body, "hello");
}

TEST_F(FetcherEncodingTest, ADecompressionBombIsLimitedLikeAnyBody) {
  // NOLINTNEXTLINE(bugprone-string-constructor): it is meant to be large
  const std::string zeros = compressed(std::string(200'000'000, '\0'));
  for (const auto& [encoding, body] :
       {std::pair("gzip", zeros), std::pair("gzip, gzip", compressed(zeros))}) {
    const Fetched got = get_encoded(encoding, body);
    EXPECT_EQ(got.reply.fault, Fault::kTooLarge) << encoding << ": " << got.reply.message;
    EXPECT_TRUE(contains(got.reply.message, "more than 1000000 bytes")) << got.reply.message;
    EXPECT_FALSE(got.has_body);
    EXPECT_EQ(requests_, 1);
  }
}

TEST_F(FetcherEncodingTest, ABodyThatCannotBeDecodedIsTakenAsItIs) {
  for (const char* encoding : {"gzip", "utf-8", "aws-chunked"}) {
    const Fetched got = get_encoded(encoding, "\xFF\xD8\xFF image");
    EXPECT_EQ(got.reply.fault, Fault::kNone) << encoding << ": " << got.reply.message;
    EXPECT_EQ(got.body, "\xFF\xD8\xFF image") << encoding;
    EXPECT_EQ(requests_, 2) << encoding;
  }
  EXPECT_EQ(get_encoded("identity", "image").body, "image");
  EXPECT_EQ(requests_, 1);
}

TEST_F(FetcherEncodingTest, AnErrorPageIsNotRequestedTwice) {
  ScriptedOrigin origin([](const OriginRequest&) {
    return answer("404 Not Found", "page", "Content-Encoding: gzip\r\n");
  });
  const Fetched got = fetcher_.get(origin.url("/"));
  EXPECT_EQ(got.reply.fault, Fault::kHttpStatus);
  EXPECT_EQ(got.reply.http_status, 404u);
  EXPECT_EQ(origin.requests(), 1);
}

TEST_F(FetcherEncodingTest, ARedirectMayRequireTheCookieThatItSets) {
  ScriptedOrigin origin([](const OriginRequest& request) {
    if (contains(request.headers, "Cookie: seen=yes")) return answer("200 OK", "image");
    return answer("302 Found", "", "Location: /a.jpg\r\nSet-Cookie: seen=yes; Path=/\r\n");
  });
  EXPECT_EQ(fetcher_.get(origin.url("/a.jpg")).body, "image");
  EXPECT_EQ(origin.requests(), 2);
}

TEST_F(FetcherEncodingTest, NoTransferSeesTheCookiesOfAnother) {
  std::string cookies;
  ScriptedOrigin origin([&](const OriginRequest& request) {
    if (contains(request.headers, "Cookie:")) cookies += request.target;
    return answer("200 OK", "image",
                  "Set-Cookie: who=" + request.target.substr(1) + "; Path=/\r\n");
  });
  for (const char* target : {"/1", "/2", "/3"}) fetcher_.get(origin.url(target));
  auto hook = RealFetcher::post_request(origin.url("/hook"));
  fetcher_.fetch(hook);
  EXPECT_EQ(cookies, "");
  EXPECT_EQ(origin.connections(), 1);  // so the transfers used the same handle
}

TEST_F(FetcherEncodingTest, AnAnswerWithAPartOfTheFileIsRefused) {
  for (const std::size_t size : {std::size_t{7}, std::size_t{200'000}}) {
    ScriptedOrigin origin([&](const OriginRequest&) {
      return answer("206 Partial Content", std::string(size, 'x'),
                    "Content-Range: bytes 0-6/9999999\r\n");
    });
    const Fetched got = fetcher_.get(origin.url("/a.jpg"));
    EXPECT_EQ(got.reply.fault, Fault::kHttpStatus);
    EXPECT_EQ(got.reply.http_status, 206u);
    EXPECT_TRUE(contains(got.reply.message, "HTTP 206 Partial Content")) << got.reply.message;
    EXPECT_FALSE(got.has_body);
    EXPECT_TRUE(is_transient(got.reply.fault, 206));
  }
}

}  // namespace
}  // namespace imgpress::test
