#include "core/http/request_headers.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace imgpress {
namespace {

std::string objection(std::string_view name, HeaderUse use = HeaderUse::kEveryRequest) {
  return objection_to_header(name, "v", use);
}

TEST(RequestHeaders, AListIsSplitAtBars) {
  EXPECT_EQ(split_request_headers(" Accept:image/*, */*;q=0.8 | Accept-Language: de"),
            (std::vector<std::string>{"Accept: image/*, */*;q=0.8", "Accept-Language: de"}));
  EXPECT_TRUE(split_request_headers("  ").empty());
}

TEST(RequestHeaders, AMalformedListIsRefused) {
  for (const char* list :
       {"Accept", "|", "A: b |", "A: b || C: d", ": b", "A:", "A : b", "A: b\r\nHost: evil",
        "A: b\nC: d", "A\r\n: b", "A: \x01", "A: \xc3\xa9"}) {
    EXPECT_THROW(split_request_headers(list), std::invalid_argument) << list;
  }
}

TEST(RequestHeaders, WhatImgpressSendsItselfCannotBeSet) {
  for (const char* name :
       {"host", "Content-Length", "CONTENT-TYPE", "Transfer-Encoding", "Connection", "Keep-Alive",
        "If-None-Match", "if-modified-since", "Range", "Accept-Encoding", "Expect", "TE", "Upgrade",
        "Trailer", "Proxy-Authorization", "User-Agent"}) {
    EXPECT_NE(objection(name), "") << name;
    EXPECT_NE(objection(name, HeaderUse::kOneOrigin), "") << name;
  }
  for (const char* name : {"Accept", "Referer", "X-Api-Key", "Ifx", "Rangefinder"}) {
    EXPECT_EQ(objection(name), "") << name;
  }
}

TEST(RequestHeaders, SecretsAreForOneOriginOnly) {
  for (const char* name : {"Authorization", "cookie"}) {
    EXPECT_NE(objection(name).find("set_origin_header"), std::string::npos);
    EXPECT_EQ(objection(name, HeaderUse::kOneOrigin), "");
  }
}

TEST(RequestHeaders, AnObjectionDoesNotTellTheValue) {
  const std::string secret = "s3cret\nvalue";
  EXPECT_EQ(objection_to_header("X-Key", secret, HeaderUse::kOneOrigin).find("s3cret"),
            std::string::npos);
  EXPECT_EQ(objection_to_header(secret, "X-Key", HeaderUse::kOneOrigin).find("s3cret"),
            std::string::npos);
  EXPECT_NE(objection_to_header("X-Key", std::string(5000, 'x'), HeaderUse::kOneOrigin), "");
}

}  // namespace
}  // namespace imgpress
