#include "core/net/host_patterns.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

using Patterns = std::vector<std::string>;

TEST(HostPatterns, TheMostSpecificComesFirst) {
  EXPECT_EQ(host_patterns("img.shop.example:8443"),
            (Patterns{"img.shop.example:8443", "img.shop.example", "*.shop.example:8443",
                      "*.shop.example", "*.example:8443", "*.example"}));
  EXPECT_EQ(host_patterns("localhost"), Patterns{"localhost"});
}

TEST(HostPatterns, TheColonsOfAnAddressAreNotThoseOfAPort) {
  EXPECT_EQ(host_patterns("[2001:db8::1]"), Patterns{"[2001:db8::1]"});
  EXPECT_EQ(host_patterns("[::1]:81"), (Patterns{"[::1]:81", "[::1]"}));
}

TEST(HostPatterns, ADotAtTheEndIsTheSameHost) {
  EXPECT_EQ(host_patterns("a.example.:80"), host_patterns("a.example:80"));
  EXPECT_EQ(host_patterns("."), Patterns{});
  EXPECT_EQ(host_patterns(""), Patterns{});
}

TEST(HostPatterns, AnEndlessNameIsCheap) {
  std::string name;
  for (int i = 0; i < 4000; ++i) name += "a.";
  EXPECT_EQ(host_patterns(name + "example").size(), 1u);
}

}  // namespace
}  // namespace imgpress
