// Every network of tests/cases/special_networks.tsv: its first and last address, their neighbours
// outside, and the spellings that reach an IPv4 address through IPv6. What is expected is reckoned
// here with 128-bit numbers, and not by the code that is tested.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "core/net/address.hpp"

namespace imgpress {
namespace {

using Number = unsigned __int128;

constexpr Number kMappedBase = Number{0xffff} << 32;
constexpr Number kNat64Base = Number{0x0064'ff9b} << 96;

struct Range {
  bool is_v6 = false;
  Number first = 0;
  Number last = 0;
  std::string text;
  std::string objection;

  bool contains(bool v6, Number value) const {
    return v6 == is_v6 && first <= value && value <= last;
  }
};

Number number_of(const std::array<std::uint8_t, 16>& bytes, std::size_t size) {
  Number value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[i];
  return value;
}

std::string text_of(bool is_v6, Number value) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = is_v6 ? 16 : 4;
  for (std::size_t i = size; i > 0; --i, value >>= 8)
    bytes[i - 1] = static_cast<std::uint8_t>(value);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
  return text.data();
}

Range range_of(const std::string& network) {
  Range range;
  range.text = network;
  range.is_v6 = network.find(':') != std::string::npos;
  const std::size_t slash = network.find('/');
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(range.is_v6 ? AF_INET6 : AF_INET, network.substr(0, slash).c_str(),
                  bytes.data()) != 1) {
    throw std::runtime_error(network);
  }
  range.first = number_of(bytes, range.is_v6 ? 16 : 4);
  const int free_bits = (range.is_v6 ? 128 : 32) - std::stoi(network.substr(slash + 1));
  range.last = range.first + ((Number{1} << (free_bits - 1)) - 1) * 2 + 1;
  if (free_bits == 0) range.last = range.first;
  return range;
}

std::vector<Range> special_networks() {
  std::ifstream file(IMGPRESS_SOURCE_DIR "/tests/cases/special_networks.tsv");
  std::vector<Range> ranges;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == '#' || line.rfind("network\t", 0) == 0) continue;
    std::istringstream fields(line);
    std::string network;
    std::string objection;
    std::getline(fields, network, '\t');
    std::getline(fields, objection, '\t');
    ranges.push_back(range_of(network));
    ranges.back().objection = objection;
  }
  return ranges;
}

class SpecialNetworks : public ::testing::Test {
 protected:
  // What is said of an address; empty for a public one.
  std::string expected(bool is_v6, Number value) const {
    if (is_v6 && (value >> 32 == kMappedBase >> 32 || value >> 32 == kNat64Base >> 32)) {
      return expected(false, value & 0xffff'ffff);
    }
    const Range* smallest = nullptr;
    for (const Range& range : ranges_) {
      if (!range.contains(is_v6, value)) continue;
      if (smallest == nullptr || range.last - range.first < smallest->last - smallest->first) {
        smallest = &range;
      }
    }
    return smallest == nullptr ? "" : "is " + smallest->objection;
  }

  void check(bool is_v6, Number value, const std::string& objection) {
    const std::string text = text_of(is_v6, value);
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{443}}) {
      EXPECT_EQ(AddressPolicy().objection(*address, port).value_or(""), objection) << text;
    }
    checked_.insert(text);
    (objection.empty() ? allowed_ : denied_).insert(text);
  }
  void check(bool is_v6, Number value) { check(is_v6, value, expected(is_v6, value)); }

  // The addresses at both edges of each network, on either side.
  std::set<std::pair<bool, Number>> edges() const {
    std::set<std::pair<bool, Number>> all;
    for (const Range& range : ranges_) {
      all.insert({range.is_v6, range.first});
      all.insert({range.is_v6, range.last});
      const Number end = range.is_v6 ? ~Number{0} : Number{0xffff'ffff};
      if (range.first > 0) all.insert({range.is_v6, range.first - 1});
      if (range.last < end) all.insert({range.is_v6, range.last + 1});
    }
    return all;
  }

  const std::vector<Range> ranges_ = special_networks();
  std::set<std::string> checked_;
  std::set<std::string> allowed_;
  std::set<std::string> denied_;
};

TEST_F(SpecialNetworks, AreDeniedFromTheFirstAddressToTheLast) {
  for (const auto& [is_v6, value] : edges()) check(is_v6, value);
  EXPECT_GT(denied_.size(), 100u);
  EXPECT_GT(allowed_.size(), 25u);
}

TEST_F(SpecialNetworks, CannotBeReachedThroughIpv6) {
  constexpr Number kProvider = Number{0x2a00'1450} << 96;  // a public prefix
  for (const auto& [is_v6, v4] : edges()) {
    if (is_v6) continue;
    const Number inverted = v4 ^ 0xffff'ffff;
    check(true, kMappedBase | v4);
    check(true, kNat64Base | v4);
    // All of these are denied, even with a public IPv4 address inside.
    check(true, Number{0x0064'ff9b'0001} << 80 | v4, "is not a public address");
    check(true, Number{0xffff} << 48 | v4, "is not a public address");
    if (v4 > 1) check(true, v4, "is not a public address");
    check(true, Number{0x2002} << 112 | v4 << 80 | 1, "is a tunnel address");
    check(true, Number{0x2001'0000} << 96 | v4 << 64 | 1, "is a tunnel address");
    check(true, Number{0x2001'0000} << 96 | Number{0x0808'0808} << 64 | inverted,
          "is a tunnel address");
    check(true, kProvider | Number{0x5efe} << 32 | v4, "is a tunnel address");
    check(true, kProvider | Number{0x0200'5efe} << 32 | v4, "is a tunnel address");
  }
  EXPECT_GT(checked_.size(), 500u);
  EXPECT_GT(allowed_.size(), 25u);
}

// Each is allowed once the list names its network, and its neighbours stay as they were.
TEST_F(SpecialNetworks, AreOpenedByTheirOwnName) {
  for (const Range& range : ranges_) {
    const AddressPolicy opened(range.text);
    const auto objection = [&](Number value) {
      return opened.objection(*IpAddress::parse(text_of(range.is_v6, value)), 8080).value_or("");
    };
    EXPECT_EQ(objection(range.first), "") << range.text;
    EXPECT_EQ(objection(range.last), "") << range.text;
    // The neighbour of the very first or last address is the one at the other end.
    EXPECT_NE(objection(range.first - 1), "") << range.text;
    EXPECT_NE(objection(range.last + 1), "") << range.text;
  }
}

}  // namespace
}  // namespace imgpress
