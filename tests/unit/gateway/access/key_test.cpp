#include "access/key.hpp"

#include <gtest/gtest.h>

#include "http/errors.hpp"

namespace imgpress::gateway {
namespace {

const std::string kSecret(64, 'a');
// SHA-256 of 64 times "a".
const std::string kHash =
    "\xff\xe0\x54\xfe\x7a\xe0\xcb\x6d\xc6\x5c\x3a\xf9\xb6\x1d\x52\x09"
    "\xf4\x39\x85\x1d\xb4\x3d\x0b\xa5\x99\x73\x37\xdf\x15\x46\x68\xeb";

TEST(ParseKey, Keys) {
  for (const std::string scheme : {"Bearer ", "bearer ", "BEARER\t"}) {
    const auto key = parse_key(scheme + "ipk_42_" + kSecret);
    ASSERT_TRUE(key) << scheme;
    EXPECT_EQ(key->id, "42");
    EXPECT_EQ(key->secret_hash, kHash);
  }
  EXPECT_EQ(parse_key("Bearer ipk_2147483647_" + kSecret)->id, "2147483647");
}

TEST(ParseKey, OtherSchemesAreNoKeys) {
  for (const std::string value :
       {"", "Basic dXNlcjpw", "Digest x", "Bearerx", "ipk_1_a", " Bearer"}) {
    EXPECT_FALSE(parse_key(value)) << value;
  }
}

TEST(ParseKey, WhatIsNoKeyIsRefused) {
  const std::vector<std::string> bad = {
      "",
      "ipk_1",
      "ipk_1_",
      "ipk__" + kSecret,
      "ipk_0_" + kSecret,
      "ipk_-1_" + kSecret,
      "ipk_+1_" + kSecret,
      "ipk_01_" + kSecret,
      "ipk_2147483648_" + kSecret,
      "ipk_1x_" + kSecret,
      "ipk_1_" + kSecret + "a",
      "ipk_1_" + kSecret.substr(1),
      "ipk_1_" + kSecret.substr(1) + "A",
      "ipk_1_" + kSecret.substr(1) + "g",
      "ipk_1_" + kSecret.substr(1) + std::string(1, '\0'),
      "ipk_1_" + kSecret + " ",
      " ipk_1_" + kSecret,
      "IPK_1_" + kSecret,
      "ipk_1__" + kSecret,
  };
  for (const std::string& text : bad) {
    try {
      parse_key("Bearer " + text);
      ADD_FAILURE() << text;
    } catch (const HttpError& error) {
      EXPECT_EQ(error.error().code, kUnauthorized) << text;
    }
  }
}

TEST(TheCaller, IsNobodyWithoutAKey) {
  const Caller caller({}, KeyDemand::kIfAny);
  const Parameters parameters = caller.with({"x"});
  ASSERT_EQ(parameters.size(), 4U);
  EXPECT_EQ(parameters[0].value.data(), nullptr);
  EXPECT_EQ(parameters[1].value.data(), nullptr);
  EXPECT_EQ(parameters[2].value, "if any");
  EXPECT_EQ(parameters[3].value, "x");
}

TEST(TheCaller, HasOneHeader) {
  httplib::Request request;
  request.headers.emplace("Authorization", "Bearer ipk_7_" + kSecret);
  const Caller caller(request, KeyDemand::kAlways);
  EXPECT_EQ(caller.with({})[0].value, "7");
  EXPECT_EQ(caller.with({})[1].value, kHash);
  EXPECT_EQ(Caller(request, KeyDemand::kNever).with({})[0].value.data(), nullptr);
  request.headers.emplace("authorization", "Basic x");
  EXPECT_THROW(Caller(request, KeyDemand::kAlways), HttpError);
}

}  // namespace
}  // namespace imgpress::gateway
