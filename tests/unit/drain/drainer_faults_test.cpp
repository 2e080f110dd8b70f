// The drainer with locked rows, lost leases, failing calls, uncertain commits, and when it is
// destroyed.
#include "support/drainer_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::DrainerTest;
using State = test::FakeQueue::State;

// ---- locked rows

TEST_F(DrainerTest, RecordsImagesWithLockedRowsLater) {
  queue_.add_request(1, 3);
  queue_.images[1].locked = true;
  settle();
  pipeline_.finish(3);
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 2);
  EXPECT_EQ(drainer_->held(), 1u);
  EXPECT_EQ(queue_.calls<FinishCall>().size(), 1u);
  pass(seconds(10));
  EXPECT_LE(queue_.calls<FinishCall>().size(), 10u) << "offered again now and then";
  queue_.images[1].locked = false;
  pass(seconds(2));
  EXPECT_EQ(queue_.count(State::kDone), 3);
  EXPECT_EQ(queue_.images[1].times_recorded, 1);
  EXPECT_EQ(drainer_->held(), 0u);
}

TEST_F(DrainerTest, KeepsTheLeaseOfAnImageWithALockedRow) {
  queue_.add_request(1, 1);
  queue_.images[0].locked = true;
  settle();
  pipeline_.finish();
  settle();
  pass(minutes(30));
  ASSERT_FALSE(queue_.renewals.empty());
  EXPECT_EQ(queue_.renewals.back().tokens, std::vector<std::int64_t>{queue_.images[0].token});
}

TEST_F(DrainerTest, OneLockedRowDoesNotDelayAnother) {
  queue_.add_request(1, 41);
  settle();
  for (auto& image : queue_.images) image.locked = true;
  pipeline_.finish(1);
  pass(milliseconds(30));
  queue_.images[0].locked = false;
  for (int i = 0; i < 5; ++i) {
    pipeline_.finish(1);
    pass(milliseconds(100));
  }
  EXPECT_EQ(queue_.images[0].state, State::kDone);
}

TEST_F(DrainerTest, ImagesWithLockedRowsTakeNoSlots) {
  settings_.images_in_flight = 10;
  start();
  queue_.add_request(1, 10);
  for (auto& image : queue_.images) image.locked = true;
  settle();
  pipeline_.finish(10);
  settle();
  queue_.add_request(2, 30);
  drainer_->expect_work();
  for (int i = 0; i < 3; ++i) {
    settle();
    ASSERT_EQ(pipeline_.images.size(), 10u);
    pipeline_.finish(10);
  }
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 30);
}

TEST_F(DrainerTest, RetriesWithLockedRowsTakeNoPlacesOfOtherRetries) {
  settings_.images_in_flight = 10;
  start();
  queue_.add_request(1, 5);
  make_retries();
  for (auto& image : queue_.images) image.locked = true;
  settle();
  pipeline_.finish(5);
  settle();
  queue_.add_request(2, 5);
  for (auto& image : queue_.images) {
    if (image.request_id == RequestId{2}) image.state = State::kRetry;
  }
  drainer_->expect_work();
  settle();
  EXPECT_EQ(pipeline_.images.size(), 5u);
}

TEST_F(DrainerTest, ImagesWithLockedRowsAreSentLessAndLessOften) {
  queue_.add_request(1, 100);
  settle();
  for (auto& image : queue_.images) image.locked = true;
  pipeline_.finish(100, 5'000'000);
  settle();
  const auto before = queue_.calls<FinishCall>().size();
  pass(seconds(10));
  EXPECT_LE(queue_.calls<FinishCall>().size() - before, 800u) << "each with 5 MB, in 10 s";
  for (auto& image : queue_.images) image.locked = false;
  pass(seconds(3));
  EXPECT_EQ(queue_.count(State::kDone), 100);
}

// ---- leases

TEST_F(DrainerTest, RenewsLeasesAtAThirdOfTheirLength) {
  queue_.add_request(1, 1);
  settle();
  const auto before = queue_.renewals.size();
  pass(minutes(5));
  EXPECT_EQ(queue_.renewals.size(), before + 3);
  EXPECT_EQ(queue_.renewals.back().tokens, std::vector<std::int64_t>{queue_.images[0].token});
  EXPECT_EQ(queue_.renewals.back().lease, settings_.lease);
  pipeline_.finish();
  settle();
  pass(minutes(5));
  EXPECT_TRUE(queue_.renewals.back().tokens.empty());
}

TEST_F(DrainerTest, AnImageWhoseLeaseWasLostIsNotRecorded) {
  queue_.add_request(1, 2);
  settle();
  queue_.images[0].token = 4711;  // another drainer has it now
  pipeline_.finish(2);
  settle();
  EXPECT_EQ(queue_.images[0].state, State::kHeld);
  EXPECT_EQ(queue_.images[0].times_recorded, 0);
  EXPECT_EQ(queue_.images[1].times_recorded, 1);
  EXPECT_EQ(drainer_->held(), 0u);
}

TEST_F(DrainerTest, NoTwoClaimsHaveTheSameToken) {
  std::set<std::int64_t> tokens;
  for (std::uint8_t request = 1; request <= 100; ++request) {
    queue_.add_request(request, 1);
    drainer_->expect_work();
    settle();
  }
  for (const ClaimCall& claim : queue_.claims) tokens.insert(claim.token);
  EXPECT_EQ(tokens.size(), queue_.claims.size());
}

TEST_F(DrainerTest, AShorterLeaseIsRenewedInTime) {
  settings_.lease = std::chrono::hours(1);
  start();
  settle();
  settings_.lease = seconds(30);
  drainer_->reconfigure(settings_);
  queue_.add_request(1, 1);
  drainer_->expect_work();
  settle();
  const auto renewals = queue_.renewals.size();
  pass(seconds(30));
  EXPECT_GE(queue_.renewals.size(), renewals + 2) << "claimed for 30 s";
}

TEST_F(DrainerTest, ImagesThatARenewalPutsBackAreClaimedAtOnce) {
  settle();
  queue_.others_ended = true;
  queue_.add_request(1, 1);  // as if put back by the renewal
  pass(seconds(101));
  EXPECT_EQ(pipeline_.images.size(), 1u);
  EXPECT_LT(queue_.claims.size(), 5u);
}

// ---- calls that fail

TEST_F(DrainerTest, PausesDoubleWhileACallFails) {
  queue_.add_request(1, 3);
  settle();
  queue_.fail_all<FinishCall>();
  pipeline_.finish(3);
  settle();
  pass(minutes(10));
  const auto calls = queue_.calls<FinishCall>();
  milliseconds expected{500};
  for (std::size_t i = 1; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i].at - calls[i - 1].at, expected);
    expected = std::min<milliseconds>(2 * expected, seconds(5));
  }
  EXPECT_GE(calls.size(), 120u);
  EXPECT_EQ(calls.back().size, 3u) << "nothing is lost meanwhile";
  queue_.fail_all<FinishCall>(false);
  pass(seconds(5));
  EXPECT_EQ(queue_.count(State::kDone), 3);

  queue_.add_request(2, 1);
  drainer_->expect_work();
  settle();
  queue_.fail_all<FinishCall>();
  pipeline_.finish();
  settle();
  queue_.fail_all<FinishCall>(false);
  pass(milliseconds(500));
  EXPECT_EQ(queue_.count(State::kDone), 4) << "the next pause is short again";
}

TEST_F(DrainerTest, AReloadEndsThePauses) {
  queue_.add_request(1, 1);
  settle();
  queue_.fail_all<FinishCall>();
  pipeline_.finish();
  pass(minutes(1));
  queue_.fail_all<FinishCall>(false);
  drainer_->reconfigure(settings_);
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 1);
}

TEST_F(DrainerTest, PausesStayShortWhileATableIsLocked) {
  queue_.add_request(1, 1);
  settle();
  for (int i = 0; i < 20; ++i) queue_.end_next<FinishCall>(CallEnd::kBlocked);
  pipeline_.finish();
  pass(seconds(10));
  EXPECT_EQ(queue_.calls<FinishCall>().size(), 21u);
  EXPECT_EQ(queue_.count(State::kDone), 1);
}

TEST_F(DrainerTest, ClaimsNothingWhileFinishingFails) {
  queue_.add_request(1, 1000);
  settle();
  queue_.fail_all<FinishCall>();
  pipeline_.finish(100);
  settle();
  const auto claims = queue_.claims.size();
  pass(milliseconds(499));
  drainer_->expect_work();
  settle();
  EXPECT_EQ(queue_.claims.size(), claims);
}

TEST_F(DrainerTest, AFailedClaimIsRepeated) {
  queue_.add_request(1, 1);
  queue_.end_next<ClaimCall>(CallEnd::kFailed);
  settle();
  EXPECT_TRUE(pipeline_.images.empty());
  pass(milliseconds(500));
  EXPECT_EQ(pipeline_.images.size(), 1u);
  EXPECT_TRUE(queue_.releases.empty()) << "what was rolled back is not held";
}

TEST_F(DrainerTest, FailingClaimsDelayNeitherFinishesNorRenewals) {
  queue_.add_request(1, 3);
  settle();
  const auto renewals = queue_.renewals.size();
  queue_.fail_all<ClaimCall>();
  drainer_->expect_work();
  settle();
  pipeline_.finish(3);
  pass(minutes(30));
  EXPECT_EQ(queue_.count(State::kDone), 3);
  EXPECT_GE(queue_.renewals.size(), renewals + 17);
}

TEST_F(DrainerTest, LeasesAreRenewedWhileFinishingFails) {
  queue_.add_request(1, 3);
  settle();
  const auto renewals = queue_.renewals.size();
  queue_.fail_all<FinishCall>();
  pipeline_.finish(1);
  pass(minutes(30));
  EXPECT_GE(queue_.renewals.size(), renewals + 17) << "leases of 5 minutes";
}

TEST_F(DrainerTest, AFailedRenewalIsRepeatedSoon) {
  queue_.add_request(1, 1);
  settle();
  queue_.end_next<RenewCall>(CallEnd::kFailed);
  pass(seconds(100));
  const auto renewals = queue_.renewals.size();
  pass(seconds(1));
  EXPECT_EQ(queue_.renewals.size(), renewals + 1);
}

TEST_F(DrainerTest, AFailedBatchIsRepeatedInTheSameOrder) {
  queue_.add_request(1, 100);
  settle();
  std::vector<std::vector<std::int32_t>> batches;
  queue_.on_submit = [&](const Call& call) {
    const auto* finish = std::get_if<FinishCall>(&call);
    if (finish == nullptr) return;
    auto& batch = batches.emplace_back();
    for (const FinishedImage& image : finish->images) batch.push_back(image.image_no);
  };
  queue_.end_next<FinishCall>(CallEnd::kFailed);
  pipeline_.finish(64);
  settle();
  pipeline_.finish(10);
  pass(seconds(1));
  ASSERT_GE(batches.size(), 2u);
  EXPECT_EQ(batches[0], batches[1]);
}

// ---- uncertain commits

TEST_F(DrainerTest, FinishingTwiceIsHarmless) {
  for (const bool applied : {true, false}) {
    queue_.images.clear();
    queue_.add_request(1, 3);
    drainer_->expect_work();
    settle();
    queue_.end_next<FinishCall>(CallEnd::kUnknown, applied);
    pipeline_.finish(3);
    settle();
    EXPECT_EQ(drainer_->held(), 3u) << "it is not certain";
    pass(seconds(1));
    EXPECT_EQ(queue_.count(State::kDone), 3);
    for (const auto& image : queue_.images) EXPECT_EQ(image.times_recorded, 1);
    EXPECT_EQ(drainer_->held(), 0u);
  }
}

TEST_F(DrainerTest, AnUncertainClaimIsReleasedAndDoesNotCount) {
  for (const bool applied : {true, false}) {
    queue_.images.clear();
    pipeline_.images.clear();
    start();
    queue_.add_request(1, 3);
    queue_.end_next<ClaimCall>(CallEnd::kUnknown, applied);
    settle();
    EXPECT_TRUE(pipeline_.images.empty());
    pass(seconds(1));
    EXPECT_EQ(pipeline_.images.size(), 3u);
    for (const auto& image : queue_.images) EXPECT_EQ(image.history.attempts, 1);
  }
  EXPECT_EQ(queue_.releases.size(), 2u);
}

TEST_F(DrainerTest, LeasesOfUncertainClaimsDoNotPileUp) {
  queue_.add_request(1, 3000);
  for (int i = 0; i < 20; ++i) queue_.end_next<ClaimCall>(CallEnd::kUnknown, true);
  settle();
  pass(minutes(5));
  EXPECT_FALSE(queue_.releases.empty());
  EXPECT_LE(queue_.count(State::kHeld), 256) << "held under tokens that nobody uses";
}

TEST_F(DrainerTest, AReleaseIsRepeatedUntilItIsCertain) {
  queue_.add_request(1, 1);
  queue_.end_next<ClaimCall>(CallEnd::kUnknown, true);
  queue_.end_next<ReleaseCall>(CallEnd::kUnknown, true);
  queue_.end_next<ReleaseCall>(CallEnd::kFailed);
  settle();
  pass(seconds(5));
  EXPECT_EQ(queue_.calls<ReleaseCall>().size(), 3u);
  EXPECT_EQ(queue_.images[0].history.attempts, 1);
}

// ---- the end

// A FATAL error ends the process inside a call: exit handlers then destroy the drainer.
TEST_F(DrainerTest, CanBeDestroyedInsideEachCall) {
  struct ProcessEnds {};
  for (std::size_t kind = 0; kind < std::variant_size_v<Call>; ++kind) {
    queue_.on_submit = nullptr;
    queue_.images.clear();
    pipeline_.images.clear();
    start();
    queue_.add_request(1, 2);
    queue_.images[0].locked = true;
    queue_.webhooks = {{1}};
    queue_.end_next<ClaimCall>(CallEnd::kUnknown, true);
    queue_.on_submit = [&](const Call& call) {
      if (call.index() != kind) return;
      drainer_.reset();
      throw ProcessEnds{};
    };
    bool ended = false;
    for (int turns = 0; turns < 200 && !ended; ++turns) {
      try {
        drainer_->turn();
        clock_.pass(milliseconds(100));
        if (!pipeline_.images.empty()) pipeline_.finish(pipeline_.images.size());
        if (!pipeline_.deliveries.empty()) pipeline_.deliver();
      } catch (const ProcessEnds&) {
        ended = true;
      }
    }
    EXPECT_TRUE(ended) << "no call of kind " << kind;
  }
}

}  // namespace
}  // namespace imgpress
