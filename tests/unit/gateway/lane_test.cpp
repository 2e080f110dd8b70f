#include "lane.hpp"

#include <gtest/gtest.h>

#include <string>

namespace imgpress::gateway {
namespace {

const std::string kId = "0123abcd-4567-89ef-0123-456789abcdef";

TEST(Lane, WhatNoClientCanDrawOutIsQuick) {
  for (const std::string& path :
       {std::string("/"), std::string("/healthz"), "/api/status/" + kId + "0/", "/nothing" + kId}) {
    EXPECT_EQ(lane_of("GET", path), Lane::kQuick) << path;
    EXPECT_EQ(lane_of("GET", path + "?a=%20"), Lane::kQuick) << path;
  }
  EXPECT_EQ(lane_of("HEAD", "/api/status/" + kId), Lane::kQuick);
  EXPECT_EQ(lane_of("HEAD", "/images/" + kId + "/1/a.jpg"), Lane::kQuick);
  EXPECT_EQ(lane_of("PATCH", "/api/upload/"), Lane::kQuick);
}

TEST(Lane, StatusesAreServedTogether) {
  for (const char* rest : {"", "/", "?a=%20", "/?b", "#c"}) {
    const std::string target = "/api/status/" + kId + rest;
    EXPECT_EQ(lane_of("GET", target), Lane::kStatus) << target;
    EXPECT_EQ(request_id_in(target), kId) << target;
  }
}

TEST(Lane, BodiesAndLargeAnswers) {
  EXPECT_EQ(lane_of("POST", "/api/upload/"), Lane::kUpload);
  EXPECT_EQ(lane_of("GET", "/api/products/" + kId), Lane::kDownload);
  EXPECT_EQ(lane_of("GET", "/shop/images/" + kId + "/1/a.jpg"), Lane::kDownload);
}

TEST(Lane, NoSpellingGetsAnythingLargeIntoTheQuickLane) {
  EXPECT_EQ(lane_of("POST", "/api/uploa%64"), Lane::kUpload);
  EXPECT_EQ(lane_of("GET", "/api/product%73/" + kId), Lane::kDownload);
  EXPECT_EQ(lane_of("GET", "/api/products/" + kId + "#"), Lane::kDownload);
}

}  // namespace
}  // namespace imgpress::gateway
