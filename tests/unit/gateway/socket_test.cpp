#include "socket.hpp"

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

TEST(Listener, TakesAFreePortAndTellsIt) {
  const Socket listener = open_listener({"127.0.0.1", 0}, false);
  const std::string url = url_of(listener);
  EXPECT_EQ(url.rfind("http://127.0.0.1:", 0), 0u) << url;
  EXPECT_EQ(url.find(":0", 10), std::string::npos) << url;
}

TEST(Listener, APortInUseIsAnError) {
  const Socket first = open_listener({"127.0.0.1", 0}, false);
  const std::string url = url_of(first);
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  EXPECT_THROW(open_listener({"127.0.0.1", port}, false), std::runtime_error);
}

TEST(Listener, OtherMachinesNeedTheExplicitWord) {
  for (const char* host : {"0.0.0.0", ""}) {
    try {
      open_listener({host, 0}, false);
      ADD_FAILURE() << "listens on \"" << host << "\"";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("--allow-remote"), std::string::npos);
    }
  }
  EXPECT_TRUE(open_listener({"0.0.0.0", 0}, true));
}

}  // namespace
}  // namespace imgpress::gateway
