#include "core/net/address.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace imgpress {
namespace {

IpAddress ip(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address) throw std::invalid_argument(text);
  return *address;
}

std::string objection(const AddressPolicy& policy, const std::string& address, int port = 443) {
  return policy.objection(ip(address), static_cast<std::uint16_t>(port)).value_or("");
}

std::string parse_error(const std::string& list) {
  try {
    parse_networks(list);
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

TEST(AddressTest, AllowsPublicAddressesOnTheWebPorts) {
  const AddressPolicy policy;
  for (const char* address : {"1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1",
                              "2001:200::1", "64:ff9b::101:101"}) {
    EXPECT_EQ(objection(policy, address, 80), "") << address;
    EXPECT_EQ(objection(policy, address, 443), "") << address;
  }
}

TEST(AddressTest, LooksThroughMappedAndNat64Addresses) {
  const AddressPolicy policy;
  EXPECT_EQ(objection(policy, "::ffff:127.0.0.1"), "is a loopback address");
  EXPECT_EQ(objection(policy, "64:ff9b::10.1.2.3"), "is a private address");
  EXPECT_EQ(objection(policy, "::ffff:1.1.1.1"), "");
  const AddressPolicy opened("127.0.0.0/8");
  EXPECT_EQ(objection(opened, "::ffff:127.0.0.1", 8080), "");
  EXPECT_EQ(objection(opened, "64:ff9b::7f00:1", 8080), "");
  // An allow-list with all of IPv6 does not allow IPv4 addresses in their IPv6 spelling.
  EXPECT_NE(objection(AddressPolicy("::/0"), "::ffff:127.0.0.1"), "");
}

TEST(AddressTest, DeniesPublicAddressesOnOtherPorts) {
  const AddressPolicy policy;
  EXPECT_NE(objection(policy, "93.184.216.34", 8080).find("8080"), std::string::npos);
  EXPECT_NE(objection(policy, "2606:4700::1111", 22), "");
  EXPECT_EQ(objection(AddressPolicy("93.184.216.34"), "93.184.216.34", 8080), "");
}

TEST(AddressTest, AllowsListedNetworksOnAnyPort) {
  const AddressPolicy policy(" 10.0.0.0/8, 192.168.1.5 ,fd00::/8,::1");
  EXPECT_EQ(objection(policy, "10.200.1.1", 9000), "");
  EXPECT_EQ(objection(policy, "192.168.1.5", 1), "");
  EXPECT_EQ(objection(policy, "fd12::1", 8080), "");
  EXPECT_EQ(objection(policy, "::1", 8080), "");
  EXPECT_NE(objection(policy, "192.168.1.6"), "");
  EXPECT_NE(objection(policy, "11.0.0.1", 9000), "");
  EXPECT_NE(objection(policy, "fc12::1"), "");
}

TEST(AddressTest, DeniesTheMachinesOwnPublicAddresses) {
  const auto is_own = [](const IpAddress& address) {
    return address == ip("93.184.216.34") || address == ip("2606:4700::1111");
  };
  const AddressPolicy policy("", is_own);
  EXPECT_NE(objection(policy, "93.184.216.34"), "");
  EXPECT_NE(objection(policy, "::ffff:93.184.216.34"), "");
  EXPECT_NE(objection(policy, "64:ff9b::93.184.216.34"), "");
  EXPECT_NE(objection(policy, "2606:4700::1111"), "");
  EXPECT_EQ(objection(policy, "93.184.216.35"), "");
  EXPECT_EQ(objection(AddressPolicy("93.184.216.34/31", is_own), "93.184.216.34"), "");
}

TEST(AddressTest, NetworkBoundariesInsideAByte) {
  const auto networks = parse_networks("10.32.0.0/11,2001:db8:8000::/33,0.0.0.0/0");
  ASSERT_EQ(networks.size(), 3u);
  EXPECT_TRUE(networks[0].contains(ip("10.63.255.255")));
  EXPECT_FALSE(networks[0].contains(ip("10.64.0.0")));
  EXPECT_FALSE(networks[0].contains(ip("10.31.255.255")));
  EXPECT_TRUE(networks[1].contains(ip("2001:db8:ffff::")));
  EXPECT_FALSE(networks[1].contains(ip("2001:db8:7fff::")));
  EXPECT_TRUE(networks[2].contains(ip("255.1.2.3")));
  EXPECT_FALSE(networks[2].contains(ip("::1")));
}

TEST(AddressTest, EmptyListIsNoNetwork) {
  EXPECT_TRUE(parse_networks("").empty());
  EXPECT_TRUE(parse_networks("  ").empty());
}

TEST(AddressTest, NamesTheBadEntry) {
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8",
                          "fd00::/129", "example.com", "localhost", "10.0.0.1:80", "fe80::1%eth0",
                          "10.0.0.0 /8", "300.1.1.1", "10.0.0.0/0008"}) {
    const std::string message = parse_error("127.0.0.0/8," + std::string(bad));
    EXPECT_NE(message.find("\"" + std::string(bad) + "\""), std::string::npos) << bad << message;
  }
  EXPECT_NE(parse_error("10.0.0.0/8,"), "");
  EXPECT_NE(parse_error(",10.0.0.0/8"), "");
}

TEST(AddressTest, SuggestsTheNetworkThatWasMeant) {
  EXPECT_NE(parse_error("172.17.0.1/16").find("172.17.0.0/16"), std::string::npos);
  EXPECT_NE(parse_error("fd00::1/8").find("fd00::/8"), std::string::npos);
}

TEST(AddressTest, ReadsAndWritesAddresses) {
  EXPECT_EQ(ip("2001:DB8:0::1").to_string(), "2001:db8::1");
  EXPECT_EQ(ip("10.0.0.1").to_string(), "10.0.0.1");
  for (const char* bad : {"", "1.2.3", "01.2.3.4x", "0x7f.0.0.1", "2130706433", ":::", "[::1]"}) {
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0.evil", 14)));
}

}  // namespace
}  // namespace imgpress
