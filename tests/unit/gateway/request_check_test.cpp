#include "request_check.hpp"

#include <gtest/gtest.h>

#include "multipart.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::uint64_t kMost = 1000;
constexpr const char* kForm = "multipart/form-data; boundary=x";

Framing body_of(const std::string& length) {
  Framing framing;
  framing.content_lengths = 1;
  framing.content_length = length;
  return framing;
}

int upload_status(const Framing& framing, const char* content_type = kForm) {
  const auto refusal = refuse_upload(framing, content_type, kMost);
  return refusal ? refusal->status : 0;
}

int other_status(const Framing& framing, const char* method = "GET") {
  const auto refusal = refuse_framing(framing, method);
  return refusal ? refusal->status : 0;
}

TEST(RequestCheck, GoodOnes) {
  EXPECT_EQ(upload_status(body_of("10")), 0);
  EXPECT_EQ(upload_status(body_of(std::to_string(kMost + kFormOverhead))), 0);
  EXPECT_EQ(other_status({}), 0);
  EXPECT_EQ(other_status(body_of("0")), 0);
  EXPECT_EQ(other_status(body_of("5"), "DELETE"), 0);
}

TEST(RequestCheck, ChunksNeedALength) {
  Framing framing;
  framing.transfer_encoding = true;
  EXPECT_EQ(upload_status(framing), 411);
  EXPECT_EQ(other_status(framing), 411);
  framing = body_of("10");
  framing.transfer_encoding = true;
  EXPECT_EQ(upload_status(framing), 411);
  EXPECT_EQ(body_length(framing), std::nullopt);
  EXPECT_EQ(upload_status({}), 411);
}

TEST(RequestCheck, OneNumericLength) {
  for (const char* bad : {"", "-1", "+1", "1,1", "0x10", " 1", "1 ", "99999999999999999999"}) {
    EXPECT_EQ(upload_status(body_of(bad)), 400) << bad;
    EXPECT_EQ(other_status(body_of(bad)), 400) << bad;
    EXPECT_EQ(body_length(body_of(bad)), std::nullopt) << bad;
  }
  Framing twice = body_of("10");
  twice.content_lengths = 2;
  EXPECT_EQ(upload_status(twice), 400);
  EXPECT_EQ(body_length(twice), std::nullopt);
  EXPECT_EQ(body_length(body_of("10")), 10u);
  EXPECT_EQ(body_length({}), 0u);
}

TEST(RequestCheck, TooLarge) {
  EXPECT_EQ(upload_status(body_of(std::to_string(kMost + kFormOverhead + 1))), 413);
}

TEST(RequestCheck, EncodedOrOfAnotherType) {
  Framing framing = body_of("10");
  framing.content_encoding = true;
  EXPECT_EQ(upload_status(framing), 415);
  EXPECT_EQ(upload_status(body_of("10"), "text/csv"), 415);
  EXPECT_EQ(upload_status(body_of("10"), ""), 415);
  EXPECT_EQ(upload_status(body_of("10"), "multipart/form-data"), 400);
}

TEST(RequestCheck, BodyOfAGet) {
  EXPECT_EQ(other_status(body_of("5"), "GET"), 400);
  EXPECT_EQ(other_status(body_of("5"), "HEAD"), 400);
}

TEST(RequestCheck, HeaderNames) {
  EXPECT_TRUE(is_header_name("Content-Length"));
  for (const char* bad : {"", "Content-Length ", " X", "X:Y", "X\tY", "\xc3\xa4"}) {
    EXPECT_FALSE(is_header_name(bad)) << bad;
  }
  Framing framing;
  framing.names_valid = false;
  EXPECT_EQ(other_status(framing), 400);
  EXPECT_EQ(body_length(framing), std::nullopt);
}

}  // namespace
}  // namespace imgpress::gateway
