#include "channel/own_address.hpp"

#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

#include "support/network/network_namespace.hpp"

namespace imgpress::test {
namespace {

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

TEST(OwnAddress, AreThoseOfTheInterfaces) {
  ifaddrs* first = nullptr;
  ASSERT_EQ(::getifaddrs(&first), 0);
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(first, &::freeifaddrs);
  int found = 0;
  for (const ifaddrs* i = first; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in v4{};
    std::memcpy(&v4, i->ifa_addr, sizeof v4);
    IpAddress address;
    std::memcpy(address.bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
    EXPECT_TRUE(is_own_address(address)) << address.to_string();
    ++found;
  }
  EXPECT_GT(found, 0);
}

TEST(OwnAddress, OthersAreNot) {
  for (const char* address : {"192.0.2.77", "8.8.8.8", "2001:db8::77", "2606:4700::1111"}) {
    EXPECT_FALSE(is_own_address(ip(address))) << address;
  }
}

TEST(OwnAddress, ComeAndGo) {
  run_in_network_namespace([] {
    for (const char* address : {"93.184.216.34", "2606:4700::77"}) {
      EXPECT_FALSE(is_own_address(ip(address))) << address;
      add_address(address);
      EXPECT_TRUE(is_own_address(ip(address))) << address;
      remove_address(address);
      EXPECT_FALSE(is_own_address(ip(address))) << address;
    }
  });
}

// With this setting of the kernel, which failover services ask for, a socket can be bound to any
// address.
TEST(OwnAddress, AreToldApartWhereSocketsMayBindToAnyAddress) {
  run_in_network_namespace([] {
    write_kernel_setting("net/ipv4/ip_nonlocal_bind", "1");
    write_kernel_setting("net/ipv6/ip_nonlocal_bind", "1");
    for (const char* address : {"93.184.216.34", "2606:4700::77"}) {
      EXPECT_FALSE(is_own_address(ip(address))) << address;
      add_address(address);
      EXPECT_TRUE(is_own_address(ip(address))) << address;
    }
  });
}

}  // namespace
}  // namespace imgpress::test
