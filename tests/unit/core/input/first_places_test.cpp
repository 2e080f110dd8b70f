#include "core/input/first_places.hpp"

#include <gtest/gtest.h>

#include <string>

namespace imgpress {
namespace {

TEST(FirstPlaces, ARepeatedTextLeadsToItsFirstPlace) {
  FirstPlaces places({1, 2});
  EXPECT_EQ(places.find_or_note("http://a/1.jpg", 1), 0);
  EXPECT_EQ(places.find_or_note("http://a/2.jpg", 2), 0);
  EXPECT_EQ(places.find_or_note("http://a/1.jpg", 3), 1);
  EXPECT_EQ(places.find_or_note("http://a/1.jpg", 4), 1);
  EXPECT_EQ(places.find_or_note("http://a/2.jpg", 5), 2);
}

TEST(FirstPlaces, OnlyTheSameTextIsARepetition) {
  FirstPlaces places({1, 2});
  EXPECT_EQ(places.find_or_note("http://a/1.jpg", 1), 0);
  EXPECT_EQ(places.find_or_note("http://A/1.jpg", 2), 0);
  EXPECT_EQ(places.find_or_note("http://a/1.jpg?", 3), 0);
  EXPECT_EQ(places.find_or_note("", 4), 0);
  EXPECT_EQ(places.find_or_note("", 5), 4);
}

TEST(FirstPlaces, StaysRightWhileItGrows) {
  constexpr std::int32_t kCount = 20000;
  FirstPlaces places({3, 4});
  for (std::int32_t i = 1; i <= kCount; ++i) {
    ASSERT_EQ(places.find_or_note("http://a/" + std::to_string(i), i), 0);
    const std::int32_t known = 1 + i / 2;
    ASSERT_EQ(places.find_or_note("http://a/" + std::to_string(known), kCount + i), known);
  }
}

}  // namespace
}  // namespace imgpress
