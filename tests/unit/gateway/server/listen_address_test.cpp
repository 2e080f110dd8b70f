#include "server/listen_address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <stdexcept>

namespace imgpress::gateway {
namespace {

bool loopback4(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  EXPECT_EQ(::inet_pton(AF_INET, text, &address.sin_addr), 1) << text;
  return is_loopback(reinterpret_cast<const sockaddr&>(address));
}

bool loopback6(const char* text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text, &address.sin6_addr), 1) << text;
  return is_loopback(reinterpret_cast<const sockaddr&>(address));
}

TEST(Loopback, Addresses) {
  EXPECT_TRUE(loopback4("127.0.0.1"));
  EXPECT_TRUE(loopback4("127.255.0.9"));
  EXPECT_FALSE(loopback4("0.0.0.0"));
  EXPECT_FALSE(loopback4("128.0.0.1"));
  EXPECT_TRUE(loopback6("::1"));
  EXPECT_TRUE(loopback6("::ffff:127.0.0.1"));
  EXPECT_FALSE(loopback6("::ffff:10.0.0.1"));
  EXPECT_FALSE(loopback6("::"));
}

TEST(Listener, OtherMachinesNeedTheExplicitWord) {
  for (const char* host : {"0.0.0.0", ""}) {
    try {
      numeric_hosts({host, 0}, false);
      ADD_FAILURE() << "listens on \"" << host << "\"";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("--allow-remote"), std::string::npos);
    }
  }
  EXPECT_EQ(numeric_hosts({"0.0.0.0", 0}, true), std::vector<std::string>{"0.0.0.0"});
}

TEST(Listener, NamesBecomeDigits) {
  for (const std::string& host : numeric_hosts({"localhost", 80}, false)) {
    EXPECT_TRUE(host == "127.0.0.1" || host == "::1") << host;
  }
  EXPECT_THROW(numeric_hosts({"no such host", 80}, true), std::runtime_error);
}

TEST(Listener, AddressesAreSpelledWithThePort) {
  EXPECT_EQ(spelled({"::1", 80}), "[::1]:80");
  EXPECT_EQ(spelled({"127.0.0.1", 8080}), "127.0.0.1:8080");
}

}  // namespace
}  // namespace imgpress::gateway
