#include "core/net/url.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

TEST(IsHttpUrl, NeedsSchemeAndHost) {
  EXPECT_TRUE(is_http_url("http://example.com"));
  EXPECT_TRUE(is_http_url("HTTPS://example.com/a.jpg"));
  EXPECT_FALSE(is_http_url("ftp://example.com/a.jpg"));
  EXPECT_FALSE(is_http_url("example.com/a.jpg"));
  EXPECT_FALSE(is_http_url("http://"));
  EXPECT_FALSE(is_http_url("http:///a.jpg"));
  EXPECT_FALSE(is_http_url(""));
}

TEST(HostOf, IsLowerCaseWithPort) {
  EXPECT_EQ(host_of("http://Example.COM:8080/a"), "example.com:8080");
  EXPECT_EQ(host_of("https://user:secret@example.com?x"), "example.com");
  EXPECT_EQ(host_of("nonsense"), "");
}

TEST(PathBegin, IsAfterTheHost) {
  EXPECT_EQ(path_begin("http://a/b"), 8u);
  EXPECT_EQ(path_begin("HTTPS://a?x/y"), 9u);
  EXPECT_EQ(path_begin("http://a"), 8u);
  EXPECT_EQ(path_begin("a/b"), 1u);
}

}  // namespace
}  // namespace imgpress
