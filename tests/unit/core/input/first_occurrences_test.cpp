#include "core/input/first_occurrences.hpp"

#include <gtest/gtest.h>

#include <string>

namespace imgpress {
namespace {

TEST(FirstOccurrences, ARepeatedTextHasThePositionOfTheFirst) {
  FirstOccurrences occurrences({1, 2});
  EXPECT_EQ(occurrences.find_or_insert("http://a/1.jpg", 1), 0);
  EXPECT_EQ(occurrences.find_or_insert("http://a/2.jpg", 2), 0);
  EXPECT_EQ(occurrences.find_or_insert("http://a/1.jpg", 3), 1);
  EXPECT_EQ(occurrences.find_or_insert("http://a/1.jpg", 4), 1);
  EXPECT_EQ(occurrences.find_or_insert("http://a/2.jpg", 5), 2);
}

TEST(FirstOccurrences, OnlyTheSameTextIsARepetition) {
  FirstOccurrences occurrences({1, 2});
  EXPECT_EQ(occurrences.find_or_insert("http://a/1.jpg", 1), 0);
  EXPECT_EQ(occurrences.find_or_insert("http://A/1.jpg", 2), 0);
  EXPECT_EQ(occurrences.find_or_insert("http://a/1.jpg?", 3), 0);
  EXPECT_EQ(occurrences.find_or_insert("", 4), 0);
  EXPECT_EQ(occurrences.find_or_insert("", 5), 4);
}

TEST(FirstOccurrences, StaysRightWhileItGrows) {
  constexpr std::int32_t kCount = 20000;
  FirstOccurrences occurrences({3, 4});
  for (std::int32_t i = 1; i <= kCount; ++i) {
    ASSERT_EQ(occurrences.find_or_insert("http://a/" + std::to_string(i), i), 0);
    const std::int32_t known = 1 + i / 2;
    ASSERT_EQ(occurrences.find_or_insert("http://a/" + std::to_string(known), kCount + i), known);
  }
}

}  // namespace
}  // namespace imgpress
