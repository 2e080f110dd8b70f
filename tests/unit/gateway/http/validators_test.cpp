#include "http/validators.hpp"

#include <gtest/gtest.h>

namespace imgpress::gateway {
namespace {

TEST(Etag, Quoted) {
  EXPECT_EQ(quoted_etag("abc"), "\"abc\"");
}

TEST(Etag, Matches) {
  for (const char* header :
       {"\"abc\"", "W/\"abc\"", "*", "\"x\", \"abc\"", "\"x\",W/\"abc\" ,\"y\"", ",, \"abc\"",
        "\"a,b\", \"abc\"", "\"abc\", nonsense"}) {
    EXPECT_TRUE(if_none_match(header, "W/\"abc\"")) << header;
  }
}

TEST(Etag, DoesNotMatch) {
  for (const char* header :
       {"", "abc", "\"ABC\"", "\"abc", "\"x\"", "W/", "\"x, abc\"", "*x", "* , \"x\"", "\"\""}) {
    EXPECT_FALSE(if_none_match(header, "W/\"abc\"")) << header;
  }
}

TEST(HttpDate, IsAsInTheStandard) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace imgpress::gateway
