#include "request_head.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

RequestHead head_of(std::string input) {
  EXPECT_TRUE(head_is_complete(input)) << input.substr(0, 100);
  return take_head(input);
}

RequestHead with_line(const std::string& line) {
  return head_of(line + "\r\nHost: a\r\n\r\n");
}

RequestHead with_header(const std::string& header) {
  return head_of("GET / HTTP/1.1\r\n" + header + "\r\n\r\n");
}

TEST(RequestHead, IsCompleteAtItsEmptyLine) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    EXPECT_FALSE(head_is_complete(head.substr(0, size))) << size;
  }
  // Wherever the pieces end in which it comes.
  for (std::size_t seen = 0; seen < head.size(); ++seen) {
    EXPECT_TRUE(head_is_complete(head, seen)) << seen;
  }
  EXPECT_TRUE(head_is_complete(head + "body"));
  EXPECT_FALSE(head_is_complete("\r\n\r\nGET / HTTP/1.1\r\n"));
}

TEST(RequestHead, LeavesWhatFollows) {
  std::string input = "\r\nPOST /api/upload/?a=b HTTP/1.0\r\nHost: a\r\n\r\nbody\r\n\r\n";
  const RequestHead head = take_head(input);
  EXPECT_EQ(head.refusal, 0);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/api/upload/?a=b");
  EXPECT_EQ(head.text, "POST /api/upload/?a=b HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_EQ(input, "body\r\n\r\n");
}

TEST(RequestHead, AWholeUrlIsCutToItsPath) {
  EXPECT_EQ(with_line("GET http://host:80/api/x?y=1 HTTP/1.1").target, "/api/x?y=1");
  EXPECT_EQ(with_line("GET HTTPS://host/ HTTP/1.1").target, "/");
  EXPECT_EQ(with_line("GET http://host HTTP/1.1").target, "/");
  EXPECT_EQ(with_line("GET http://host?y=1 HTTP/1.1").target, "/?y=1");
  EXPECT_EQ(with_line("GET /http://host/ HTTP/1.1").target, "/http://host/");
}

TEST(RequestHead, MethodsThatNobodyServesAreAlike) {
  for (const char* method : {"FOO", "get", "PUT", "TRACE", "CONNECT", "PRI"}) {
    const RequestHead head = with_line(std::string(method) + " /healthz HTTP/1.1");
    EXPECT_EQ(head.refusal, 0) << method;
    EXPECT_EQ(head.method, "PATCH") << method;
    EXPECT_EQ(head.text.rfind("PATCH /healthz HTTP/1.1\r\n", 0), 0u) << method;
  }
  EXPECT_EQ(with_line("HEAD / HTTP/1.1").method, "HEAD");
}

TEST(RequestHead, RangesAreTakenOut) {
  for (const char* range : {"Range: bytes=0-1", "range: junk", "RANGE:"}) {
    const RequestHead head = with_header(range + std::string("\r\nIf-Range: x"));
    EXPECT_EQ(head.refusal, 0) << range;
    EXPECT_EQ(head.text, "GET / HTTP/1.1\r\nIf-Range: x\r\n\r\n") << range;
  }
}

TEST(RequestHead, TooLongALine) {
  for (const std::size_t size : {8180u, 20000u, 40000u, 200000u}) {
    const std::string line = "GET /" + std::string(size, 'a') + " HTTP/1.1";
    EXPECT_EQ(with_line(line).refusal, 414) << size;
  }
  EXPECT_EQ(with_line("GET /" + std::string(8000, 'a') + " HTTP/1.1").refusal, 0);
  EXPECT_TRUE(head_is_complete(std::string(8193, 'a'))) << "need not come to its end";
}

TEST(RequestHead, TooLongHeaders) {
  EXPECT_EQ(with_header("A: " + std::string(8200, 'a')).refusal, 431);
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "A: b\r\n";
  EXPECT_EQ(with_header(many + "A: b").refusal, 0);
  EXPECT_EQ(with_header(many + many + "A: b").refusal, 431);
}

TEST(RequestHead, Malformed) {
  for (const char* line :
       {"GET /", "GET  / HTTP/1.1", "GET / / HTTP/1.1", "GET / HTTP/2.0", "GET / http/1.1", "GET",
        "G{}T / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/1.1\nA: b"}) {
    EXPECT_EQ(with_line(line).refusal, 400) << line;
  }
  for (const char* header :
       {"no colon", "A: b\r\n folded: c", "A: b\r\n\tfolded: c", "A: b\nC: d", "A: b\rC: d"}) {
    EXPECT_EQ(with_header(header).refusal, 400) << header;
  }
  EXPECT_EQ(with_header(std::string("A: b\0c", 6)).refusal, 400);
  EXPECT_EQ(head_of("GET / HTTP/1.1\n\n").refusal, 400);
}

TEST(RequestHead, ARefusedOneTakesAllInputAndIsHarmless) {
  std::string input = "GET /\r\n\r\nGET / HTTP/1.1\r\n\r\n";
  const RequestHead head = take_head(input);
  EXPECT_EQ(input, "");
  EXPECT_EQ(head.text, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace imgpress::gateway
