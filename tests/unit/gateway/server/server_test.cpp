#include "server/server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <stdexcept>
#include <thread>

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

TEST(Listening, TakesAFreePortAndTellsIt) {
  const Server server({"127.0.0.1", 0}, false);
  EXPECT_EQ(server.url().rfind("http://127.0.0.1:", 0), 0u) << server.url();
  EXPECT_NE(server.url(), "http://127.0.0.1:0");
}

TEST(Listening, APortInUseIsAnError) {
  const Server first({"127.0.0.1", 0}, false);
  const std::string port = first.url().substr(first.url().rfind(':') + 1);
  EXPECT_THROW(Server({"127.0.0.1", static_cast<std::uint16_t>(std::stoi(port))}, false),
               std::runtime_error);
}

TEST(Listening, OtherMachinesNeedTheExplicitWord) {
  for (const char* host : {"0.0.0.0", ""}) {
    try {
      const Server refused({host, 0}, false);
      ADD_FAILURE() << "listens on \"" << host << "\"";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("--allow-remote"), std::string::npos);
    }
  }
  Server({"0.0.0.0", 0}, true);
}

TEST(Draining, WaitsForRunningRequests) {
  Server server({"127.0.0.1", 0}, false);
  auto running = server.running_request();
  auto copy = running;
  EXPECT_FALSE(server.drain(std::chrono::seconds(0)));
  running.reset();
  EXPECT_FALSE(server.drain(std::chrono::seconds(0)));
  std::thread ending([&copy] { copy.reset(); });
  EXPECT_TRUE(server.drain(std::chrono::seconds(60)));
  ending.join();
}

}  // namespace
}  // namespace imgpress::gateway
