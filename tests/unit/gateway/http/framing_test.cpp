#include "http/framing.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

httplib::Request request(const char* method, const httplib::Headers& headers = {}) {
  httplib::Request made;
  made.method = method;
  made.version = "HTTP/1.1";
  made.headers = headers;
  return made;
}

int refused(const httplib::Request& made) {
  const auto error = refuse_framing(made);
  return error ? error->code.status : 0;
}

TEST(Framing, SoundOnes) {
  EXPECT_EQ(refused(request("GET")), 0);
  EXPECT_EQ(refused(request("GET", {{"Content-Length", "0"}})), 0);
  EXPECT_EQ(refused(request("POST", {{"Content-Length", "10"}})), 0);
  EXPECT_EQ(refused(request("POST", {{"Transfer-Encoding", "chunked"}})), 0);
  EXPECT_EQ(refused(request("DELETE", {{"Content-Length", "5"}})), 0);
}

TEST(Framing, APostSaysHowLongItIs) {
  EXPECT_EQ(refused(request("POST")), 411);
  EXPECT_EQ(refused(request("POST", {{"Content-Length", "0"}})), 0);
  EXPECT_EQ(refused(request("PUT")), 0);
}

TEST(Framing, OneNumericLength) {
  for (const char* bad :
       {"", "-1", "+1", "1,1", "0x10", " 1", "1 ", "1e3", "99999999999999999999"}) {
    EXPECT_EQ(refused(request("POST", {{"Content-Length", bad}})), 400) << bad;
    EXPECT_EQ(refused(request("GET", {{"Content-Length", bad}})), 400) << bad;
  }
  EXPECT_EQ(refused(request("POST", {{"Content-Length", "5"}, {"content-length", "5"}})), 400);
}

TEST(Framing, OnlyChunked) {
  for (const char* bad : {"", "Chunked", "xchunked", "gzip, chunked", "chunked, chunked", "gzip"}) {
    EXPECT_EQ(refused(request("POST", {{"Transfer-Encoding", bad}})), 400) << bad;
  }
  const char* name = "Transfer-Encoding";
  EXPECT_EQ(refused(request("POST", {{name, "chunked"}, {name, "chunked"}})), 400);
  EXPECT_EQ(refused(request("POST", {{name, "chunked"}, {"Content-Length", "5"}})), 400);
  httplib::Request old = request("POST", {{name, "chunked"}});
  old.version = "HTTP/1.0";
  EXPECT_EQ(refused(old), 400);
}

TEST(Framing, BodiesThatTheLibraryWouldLeaveUnread) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PRI"}) {
    EXPECT_EQ(refused(request(method, {{"Content-Length", "5"}})), 400) << method;
    EXPECT_EQ(refused(request(method, {{"Transfer-Encoding", "chunked"}})), 400) << method;
  }
  EXPECT_EQ(refused(request("DELETE", {{"Transfer-Encoding", "chunked"}})), 400);
}

TEST(Framing, LongHeads) {
  EXPECT_EQ(refused(request("GET", {{"A", std::string(30'000, 'a')}})), 0);
  EXPECT_EQ(
      refused(request("GET", {{"A", std::string(20'000, 'a')}, {"B", std::string(20'000, 'a')}})),
      431);
}

TEST(Framing, NamesAreTokens) {
  for (const char* bad : {"", "Content-Length ", "X\tY", "(a)", "caf\xe9"}) {
    EXPECT_FALSE(is_header_name(bad)) << bad;
    EXPECT_EQ(refused(request("GET", {{bad, "1"}})), 400) << bad;
  }
  EXPECT_TRUE(is_header_name("X-!#$%&'*+.^_`|~9"));
}

TEST(Framing, LengthsOfBodies) {
  EXPECT_TRUE(has_body(request("POST", {{"Content-Length", "7"}})));
  EXPECT_TRUE(has_body(request("POST", {{"Transfer-Encoding", "chunked"}})));
  EXPECT_FALSE(has_body(request("POST", {{"Content-Length", "0"}})));
  EXPECT_FALSE(has_body(request("GET")));
  EXPECT_EQ(declared_length(request("POST", {{"Content-Length", "7"}})), 7u);
  EXPECT_EQ(declared_length(request("POST", {{"Transfer-Encoding", "chunked"}})), 0u);
}

}  // namespace
}  // namespace imgpress::gateway
