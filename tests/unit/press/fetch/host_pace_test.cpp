#include "press/fetch/hosts/host_pace.hpp"

#include <gtest/gtest.h>

namespace imgpress::press {
namespace {

using namespace std::chrono_literals;

TEST(HostPaceTest, SpacesTheStarts) {
  HostPace pace;
  EXPECT_FALSE(pace.is_limited());
  pace.set_interval(10ms);
  const HostPace::TimePoint begin{1h};
  int started = 0;
  for (auto now = begin; now < begin + 10s; now += 1ms) {
    for (; pace.is_open(now); ++started) pace.note_start(now);
  }
  EXPECT_NEAR(started, 1000, 11) << "the bucket holds those of 100 ms";
}

TEST(HostPaceTest, ASlowOneStartsOneAtATime) {
  HostPace pace;
  pace.set_interval(5s);
  const HostPace::TimePoint begin{1h};
  ASSERT_TRUE(pace.is_open(begin));
  pace.note_start(begin);
  EXPECT_FALSE(pace.is_open(begin + 4s));
  EXPECT_TRUE(pace.is_open(pace.next()));
  EXPECT_EQ(pace.places(), 2u);
}

TEST(HostPaceTest, WhatFindsNoPlaceGetsATimeOfItsOwn) {
  HostPace pace;
  pace.set_interval(2s);
  const HostPace::TimePoint now{1h};
  EXPECT_EQ(pace.reserve(now), 7s);
  EXPECT_EQ(pace.reserve(now), 9s);
  EXPECT_EQ(pace.reserve(now + 1s), 10s);
}

TEST(HostPaceTest, NothingStaysAwayForLongerThanAnHour) {
  HostPace pace;
  pace.set_interval(1000s);
  const HostPace::TimePoint now{1h};
  for (int i = 0; i < 10'000; ++i) EXPECT_LE(pace.reserve(now), 1h);
  EXPECT_GT(pace.reserve(now), 29min);
}

}  // namespace
}  // namespace imgpress::press
