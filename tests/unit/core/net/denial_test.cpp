#include "core/net/denial.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

TEST(Denial, TheMessageNamesTheAddress) {
  for (const char* text : {"10.1.2.3", "::1", "fd00::7", "::ffff:10.0.0.7"}) {
    const std::string message =
        describe_denial("shop.internal:81", std::string(text) + " is a private address");
    const auto address = denied_address(message);
    ASSERT_TRUE(address) << message;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(Denial, OtherMessagesNameNone) {
  for (const char* message :
       {"", "connections to ", "connections to a are not allowed: ", "cannot connect to 10.0.0.1",
        "x connections to a are not allowed: 10.0.0.1 is private",
        "connections to a are not allowed: its address is not an internet address"}) {
    EXPECT_FALSE(denied_address(message)) << message;
  }
}

TEST(Denial, TheHintKeepsWhatIsAllowed) {
  const auto hint = [](const char* address, const char* networks) {
    return hint_about_denied(*IpAddress::parse(address), networks);
  };
  EXPECT_EQ(hint("10.1.2.3", " "),
            "ALTER SYSTEM SET imgpress.allowed_networks = '10.1.2.3'; SELECT pg_reload_conf();");
  EXPECT_EQ(hint("fd00::7", "10.0.0.0/8, 192.168.0.1 "),
            "ALTER SYSTEM SET imgpress.allowed_networks = '10.0.0.0/8, 192.168.0.1, fd00::7'; "
            "SELECT pg_reload_conf();");
  EXPECT_EQ(hint("10.1.2.3", "10.0.0.0/8"),
            "By now imgpress.allowed_networks lists 10.1.2.3: imgpress.retry_failed() tries failed "
            "images again, and a webhook that is Pending is sent at its next attempt.");
}

// Each spelling of an address that the guard denies is allowed once the list names it.
TEST(Denial, WhatTheHintNamesIsAllowed) {
  for (const char* text :
       {"10.1.2.3", "::1", "::ffff:10.0.0.7", "64:ff9b::7f00:1", "0.0.0.0", "fe80::1", "8.8.8.8"}) {
    const auto address = *IpAddress::parse(text);
    EXPECT_TRUE(AddressPolicy("").objection(address, 81)) << text;
    EXPECT_FALSE(AddressPolicy("").lists(address)) << text;
    EXPECT_FALSE(AddressPolicy(address.to_string()).objection(address, 81)) << text;
  }
}

}  // namespace
}  // namespace imgpress
