// Which calls the drainer makes, and when.
#include "support/drainer_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::DrainerTest;
using test::kNumber;
using State = test::FakeQueue::State;

// ---- the start

TEST_F(DrainerTest, RescuesTheWorkOfItsPredecessorBeforeItClaims) {
  queue_.add_request(1, 1);
  queue_.images[0].state = State::kHeld;
  settle();
  ASSERT_EQ(queue_.rescues.size(), 1u);
  EXPECT_EQ(queue_.rescues[0].drainer, kNumber);
  EXPECT_EQ(queue_.log[0].at, clock_.now());
  EXPECT_EQ(queue_.calls<RescueCall>().size(), 1u);
  ASSERT_FALSE(queue_.claims.empty());
  EXPECT_EQ(queue_.claims[0].drainer, kNumber);
  EXPECT_EQ(pipeline_.images.size(), 1u);
}

TEST_F(DrainerTest, ClaimsNothingBeforeThePressesAreReady) {
  queue_.add_request(1, 1);
  queue_.webhooks.push_back({1});
  pipeline_.is_ready = false;
  settle();
  pass(minutes(3));
  EXPECT_TRUE(queue_.claims.empty());
  EXPECT_TRUE(queue_.calls<ClaimDeliveriesCall>().empty());
  pipeline_.is_ready = true;
  settle();
  EXPECT_EQ(pipeline_.images.size(), 1u);
  EXPECT_EQ(pipeline_.deliveries.size(), 1u);
}

TEST_F(DrainerTest, TellsWhenTheExtensionIsNotInstalled) {
  settle();
  queue_.installed = false;
  drainer_->expect_work();
  EXPECT_FALSE(drainer_->turn());
}

// ---- batches

TEST_F(DrainerTest, ASingleImageIsRecordedAtOnce) {
  queue_.add_request(1, 1);
  settle();
  pipeline_.finish();
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 1);
  EXPECT_EQ(drainer_->finished(), 1u);
  EXPECT_EQ(drainer_->held(), 0u);
}

TEST_F(DrainerTest, UnderLoadImagesShareACommit) {
  queue_.add_request(1, 200);
  settle();
  pipeline_.finish(63);
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 0);
  EXPECT_EQ(drainer_->deadline(), clock_.now() + milliseconds(100));
  pipeline_.finish(1);
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 64);
  pipeline_.finish(10);
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 64);
  pass(milliseconds(100));
  EXPECT_EQ(queue_.count(State::kDone), 74);
}

TEST_F(DrainerTest, ABatchEndsAtEightMegabytes) {
  queue_.add_request(1, 100);
  settle();
  pipeline_.finish(8, 1'500'000);
  settle();
  const auto calls = queue_.calls<FinishCall>();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].size, 5u);
}

// 64 large images in one array would exceed the size limit of a value, and the call would fail for
// ever.
TEST_F(DrainerTest, ABatchTakesAtLeastOneImage) {
  queue_.add_request(1, 64);
  settle();
  pipeline_.finish(64, 20'000'000);
  settle();
  pass(seconds(1));
  const auto calls = queue_.calls<FinishCall>();
  EXPECT_EQ(calls.size(), 64u);
  for (const auto& call : calls) EXPECT_EQ(call.size, 1u);
  EXPECT_EQ(queue_.count(State::kDone), 64);
}

// ---- claims

TEST_F(DrainerTest, ClaimsAgainWhenThreeEighthsOfTheImagesHaveEnded) {
  queue_.add_request(1, 1000);
  settle();
  EXPECT_EQ(drainer_->held(), 256u);
  const auto claims = queue_.claims.size();
  pipeline_.finish(95);
  settle();
  EXPECT_EQ(queue_.claims.size(), claims) << "a claim of few costs as much as one of many";
  pipeline_.finish(1);
  settle();
  ASSERT_EQ(queue_.claims.size(), claims + 1);
  EXPECT_EQ(queue_.count(State::kDone), 64);
  EXPECT_EQ(pipeline_.images.size(), 256u) << "those that wait to be recorded take no slot";
}

TEST_F(DrainerTest, AnIdleDrainerClaimsAFewImagesFirst) {
  std::vector<std::size_t> begun;  // before each claim
  queue_.on_submit = [&](const Call& call) {
    if (std::holds_alternative<ClaimCall>(call)) begun.push_back(pipeline_.images.size());
  };
  queue_.add_request(1, 1000);
  settle();
  EXPECT_EQ(begun, (std::vector<std::size_t>{0, 32}));
  EXPECT_EQ(drainer_->held(), 256u);
}

TEST_F(DrainerTest, OneClaimIsEnoughForASmallRequest) {
  queue_.add_request(1, 15);
  settle();
  EXPECT_EQ(queue_.claims.size(), 1u);
}

TEST_F(DrainerTest, ClaimsForFreeSlotsSoonWhenOtherImagesHang) {
  queue_.add_request(1, 1000);
  settle();
  pipeline_.finish(1);
  pass(milliseconds(100));
  EXPECT_EQ(pipeline_.images.size(), 256u);
}

TEST_F(DrainerTest, ClaimsAgainAtOnceWhenThereIsMore) {
  queue_.claims_at_most = 10;
  queue_.add_request(1, 100);
  settle();
  EXPECT_EQ(drainer_->held(), 100u);
  EXPECT_EQ(queue_.claims.size(), 10u);
}

TEST_F(DrainerTest, ClaimsOnceAMinuteWithoutBeingWoken) {
  queue_.add_request(1, 10);
  settle();
  const auto claims = queue_.claims.size();
  pass(seconds(59));
  EXPECT_EQ(queue_.claims.size(), claims);
  pass(seconds(2));
  EXPECT_EQ(queue_.claims.size(), claims + 1);
}

TEST_F(DrainerTest, AnImageThatEndsDuringAClaimIsRecorded) {
  queue_.add_request(1, 1);
  settle();
  queue_.on_submit = [&](const Call& call) {
    if (std::holds_alternative<ClaimCall>(call) && !pipeline_.images.empty()) {
      pipeline_.arrives_at_next_turn = true;
    }
  };
  drainer_->expect_work();  // as if another request had been submitted
  drainer_->turn();
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 1);
}

TEST_F(DrainerTest, ClaimsAfterARetryEvenWhenTheWindowIsNearlyFull) {
  queue_.add_request(1, 256);
  settle();
  pipeline_.fail(Fault::kTimeout);
  settle();
  pass(milliseconds(100));
  const auto claims = queue_.claims.size();
  EXPECT_GE(claims, 2u) << "at once: it learns when the retry is due";
  pass(milliseconds(1300));
  EXPECT_EQ(drainer_->held(), 256u);
}

TEST_F(DrainerTest, TellsTheQueueWhatItHolds) {
  queue_.add_request(1, 3);
  queue_.add_request(2, 2);
  settle();
  queue_.add_request(3, 1);
  drainer_->expect_work();
  settle();
  const ClaimCall& last = queue_.claims.back();
  EXPECT_EQ(last.slots, 251);
  const std::vector<std::pair<RequestId, int>> held = {{RequestId{1}, 3}, {RequestId{2}, 2}};
  EXPECT_EQ(last.held, held);
}

TEST_F(DrainerTest, RetriesGetHalfOfTheWindow) {
  settings_.images_in_flight = 10;
  start();
  queue_.add_request(1, 40);
  make_retries();
  settle();
  pass(seconds(1));
  EXPECT_EQ(drainer_->held(), 5u) << "a dead origin fills half of it";
  queue_.add_request(2, 40);
  drainer_->expect_work();
  settle();
  EXPECT_EQ(drainer_->held(), 10u) << "and leaves the rest to others";
  EXPECT_EQ(queue_.claims.back().retry_slots, 0);
}

TEST_F(DrainerTest, ASmallerWindowAppliesToTheNextClaim) {
  queue_.add_request(1, 1000);
  settle();
  settings_.images_in_flight = 10;
  settings_.pipeline.codecs = 3;
  drainer_->reconfigure(settings_);
  EXPECT_EQ(pipeline_.codecs, 3u);
  pipeline_.finish(250);
  pass(milliseconds(100));
  EXPECT_EQ(drainer_->held(), 10u);
}

// ---- retries

TEST_F(DrainerTest, RetriesWhenDueAndNotBefore) {
  queue_.add_request(1, 1);
  settle();
  pipeline_.fail(Fault::kTimeout);
  settle();
  EXPECT_EQ(queue_.count(State::kRetry), 1);
  pass(milliseconds(700));  // a second, less up to a quarter
  EXPECT_TRUE(pipeline_.images.empty());
  pass(milliseconds(600));
  ASSERT_EQ(pipeline_.images.size(), 1u);
  pipeline_.fail(Fault::kTimeout);
  settle();
  pass(milliseconds(1400));
  EXPECT_TRUE(pipeline_.images.empty()) << "the second pause is twice as long";
  pass(milliseconds(1200));
  pipeline_.fail(Fault::kTimeout);
  settle();
  EXPECT_EQ(queue_.count(State::kFailed), 1);
}

TEST_F(DrainerTest, ADueImageWithALockedRowDoesNotCauseABusyLoop) {
  queue_.add_request(1, 1);
  queue_.images[0].state = State::kRetry;
  settings_.images_in_flight = 1;  // no slot for a retry: the same as a locked row
  start();
  settle();
  const auto claims = queue_.claims.size();
  pass(seconds(10));
  EXPECT_LE(queue_.claims.size(), claims + 41);
  EXPECT_GE(queue_.claims.size(), claims + 39);
}

TEST_F(DrainerTest, AnImageThatKillsThreeCodecsIsGivenUp) {
  queue_.add_request(1, 1);
  settle();
  for (int time = 1; time <= 3; ++time) {
    ASSERT_EQ(pipeline_.images.size(), 1u);
    pipeline_.fail(Fault::kPressDied, Ending::kKilledCodec);
    settle();
    pass(minutes(1));
  }
  EXPECT_EQ(queue_.count(State::kFailed), 1);
  EXPECT_EQ(queue_.images[0].history.failed_attempts, 0);
}

TEST_F(DrainerTest, DueRetriesCauseNoCallsWhileTheWindowIsFull) {
  settings_.images_in_flight = 2;
  start();
  queue_.add_request(1, 10);
  make_retries();
  queue_.add_request(2, 10);
  settle();
  EXPECT_EQ(drainer_->held(), 2u);
  const auto before = queue_.log.size();
  pass(seconds(60));
  EXPECT_LE(queue_.log.size(), before + 2) << "transactions in a minute without any webhook";
}

// ---- a queue that does not block

TEST_F(DrainerTest, OnlyOneCallIsOpenAtATime) {
  queue_.async = true;
  queue_.add_request(1, 2);
  for (int turn = 0; turn < 5; ++turn) ASSERT_TRUE(drainer_->turn());
  EXPECT_EQ(queue_.log.size(), 1u);
  EXPECT_EQ(drainer_->deadline(), TimePoint::max()) << "the queue itself says when it has ended";
  while (pipeline_.images.empty()) {
    queue_.complete();
    drainer_->turn();
  }
  pipeline_.finish(2);
  while (queue_.count(State::kDone) == 0) {
    drainer_->turn();
    EXPECT_EQ(drainer_->held(), 2u) << "results count after the commit";
    queue_.complete();
  }
  drainer_->turn();
  EXPECT_EQ(drainer_->held(), 0u);
}

TEST_F(DrainerTest, TellsThePipelineHowLongCallsTake) {
  queue_.takes = milliseconds(20);
  queue_.add_request(1, 1);
  for (int turn = 0; turn < 4; ++turn) drainer_->turn();
  EXPECT_GE(pipeline_.absence, milliseconds(20));
  queue_.takes = milliseconds(1);
  for (int look = 0; look < 40; ++look) {
    drainer_->expect_work();
    drainer_->turn();
  }
  EXPECT_LE(pipeline_.absence, milliseconds(2)) << "a long call is forgotten";
}

TEST_F(DrainerTest, HangingDownloadsTakeNoSlotsUpToAsManyAgain) {
  settings_.images_in_flight = 10;
  start();
  queue_.add_request(1, 100);
  settle();
  EXPECT_EQ(pipeline_.images.size(), 10u);
  pipeline_.hanging_images = 7;
  settle();
  EXPECT_EQ(pipeline_.images.size(), 17u);
  pipeline_.hanging_images = 17;
  settle();
  EXPECT_EQ(pipeline_.images.size(), 20u);
  pipeline_.hanging_images = 0;
  pipeline_.finish(5);
  settle();
  EXPECT_EQ(pipeline_.images.size(), 15u) << "no more until there are slots again";
}

}  // namespace
}  // namespace imgpress
