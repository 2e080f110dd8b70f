#include "drain/ended_images.hpp"

#include <gtest/gtest.h>

namespace imgpress {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kNever = TimePoint::max();
constexpr TimePoint kBegin{std::chrono::hours(1)};

FinishedImage image(int number, std::uint64_t bytes = 1) {
  FinishedImage finished;
  finished.image_no = number;
  finished.output_bytes = bytes;
  return finished;
}

std::vector<int> numbers(const std::vector<FinishedImage>& images) {
  std::vector<int> out;
  for (const FinishedImage& one : images) out.push_back(one.image_no);
  return out;
}

TEST(EndedImages, TheLastOnesAreRecordedAtOnceAndOthersWaitForCompany) {
  EndedImages ended;
  EXPECT_EQ(ended.due(0), kNever);
  ended.add(image(1), kBegin);
  ended.add(image(2), kBegin + milliseconds(20));
  EXPECT_LE(ended.due(2), kBegin);
  EXPECT_EQ(ended.due(3), kBegin + milliseconds(100));
  EXPECT_EQ(numbers(ended.take_batch()), (std::vector<int>{1, 2}));
  EXPECT_EQ(ended.due(1), kNever);
}

TEST(EndedImages, BatchesGetSmallerWhereFewAreLeft) {
  EndedImages ended;
  for (int i = 0; i < 15; ++i) ended.add(image(i), kBegin);
  EXPECT_EQ(ended.due(15 + 3), kBegin + milliseconds(100)) << "too few for a transaction";
  for (int i = 15; i < 20; ++i) ended.add(image(i), kBegin);
  EXPECT_EQ(ended.due(20 + 21), kBegin + milliseconds(100));
  EXPECT_LE(ended.due(20 + 20), kBegin);
}

TEST(EndedImages, ABatchHoldsABoundedNumberOfImagesAndBytes) {
  EndedImages ended;
  for (int i = 0; i < 100; ++i) ended.add(image(i), kBegin);
  EXPECT_LE(ended.due(1000), kBegin);
  EXPECT_EQ(ended.take_batch().size(), 64u);
  EXPECT_EQ(ended.size(), 36u);
  ended.note_recorded(kBegin + milliseconds(10));
  EXPECT_EQ(ended.due(1000), kBegin + milliseconds(110)) << "those that are left wait again";
  ended.take_batch();
  for (int i = 1; i <= 3; ++i) ended.add(image(i, 5 << 20), kBegin);
  EXPECT_LE(ended.due(1000), kBegin);
  EXPECT_EQ(numbers(ended.take_batch()), std::vector<int>{1});
  ended.take_batch();
  ended.take_batch();
  ended.add(image(4, 50 << 20), kBegin);
  EXPECT_EQ(numbers(ended.take_batch()), std::vector<int>{4}) << "at least one";
}

TEST(EndedImages, WhatWasNotRecordedComesFirstAgain) {
  EndedImages ended;
  for (int i = 1; i <= 2; ++i) ended.add(image(i), kBegin);
  std::vector<FinishedImage> batch = ended.take_batch();
  ended.add(image(3), kBegin);
  ended.take_back(std::move(batch));
  EXPECT_EQ(numbers(ended.take_batch()), (std::vector<int>{1, 2, 3}));
}

TEST(EndedImages, ThoseWithLockedRowsComeBackTogetherAfterGrowingPauses) {
  EndedImages ended;
  EXPECT_EQ(ended.resumes_at(), kNever);
  TimePoint now = kBegin;
  for (const int pause : {250, 500, 1000, 2000, 2000}) {
    ended.put_off(image(1), now);
    ended.put_off(image(2), now + milliseconds(100));
    EXPECT_EQ(ended.locked().size(), 2u);
    EXPECT_EQ(ended.size(), 2u);
    EXPECT_EQ(ended.due(2), kNever);
    EXPECT_EQ(ended.resumes_at(), now + milliseconds(pause));
    ended.resume(now + milliseconds(pause - 1));
    EXPECT_EQ(ended.locked().size(), 2u);
    now = ended.resumes_at();
    ended.resume(now);
    EXPECT_TRUE(ended.locked().empty());
    EXPECT_EQ(numbers(ended.take_batch()), (std::vector<int>{1, 2}));
  }
  now += milliseconds(60'000);
  ended.put_off(image(1), now);
  EXPECT_EQ(ended.resumes_at(), now + milliseconds(250)) << "after a time without any";
}

}  // namespace
}  // namespace imgpress
