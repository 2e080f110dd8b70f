// What the drainer makes of locked rows, lost leases, failing calls, lost answers and its own end.
#include "support/drainer_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::DrainerTest;
using State = test::FakeQueue::State;

// ---- rows that somebody has locked

TEST_F(DrainerTest, PutsOffLockedRowsAndNoOthers) {
  queue_.add_request(1, 3);
  queue_.images[1].locked = true;
  settle();
  pipeline_.finish(3);
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 2);
  EXPECT_EQ(drainer_->held(), 1u);
  EXPECT_EQ(queue_.calls<FinishCall>().size(), 1u);
  pass(seconds(10));
  EXPECT_LE(queue_.calls<FinishCall>().size(), 42u) << "offered again every 250 ms";
  queue_.images[1].locked = false;
  pass(milliseconds(250));
  EXPECT_EQ(queue_.count(State::kDone), 3);
  EXPECT_EQ(queue_.images[1].times_recorded, 1);
  EXPECT_EQ(drainer_->held(), 0u);
}

TEST_F(DrainerTest, AnImageThatIsPutOffKeepsItsLeaseAlive) {
  queue_.add_request(1, 1);
  queue_.images[0].locked = true;
  settle();
  pipeline_.finish();
  settle();
  pass(minutes(30));
  ASSERT_FALSE(queue_.renewals.empty());
  EXPECT_EQ(queue_.renewals.back().tokens, std::vector<std::int64_t>{queue_.images[0].token});
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

TEST_F(DrainerTest, WhoLostALeaseRecordsNothing) {
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

// ---- calls that fail

TEST_F(DrainerTest, PausesDoubleWhileACallFailsAndEndWithIt) {
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
    expected = std::min<milliseconds>(2 * expected, seconds(60));
  }
  EXPECT_GE(calls.size(), 14u);
  EXPECT_EQ(calls.back().size, 3u) << "nothing is lost meanwhile";
  queue_.fail_all<FinishCall>(false);
  pass(minutes(1));
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

TEST_F(DrainerTest, WhileFinishingFailsNothingIsClaimedInBetween) {
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

TEST_F(DrainerTest, AClaimThatFailsIsTriedAgain) {
  queue_.add_request(1, 1);
  queue_.end_next<ClaimCall>(CallEnd::kFailed);
  settle();
  EXPECT_TRUE(pipeline_.images.empty());
  pass(milliseconds(500));
  EXPECT_EQ(pipeline_.images.size(), 1u);
  EXPECT_TRUE(queue_.releases.empty()) << "what was rolled back is not held";
}

TEST_F(DrainerTest, WebhooksThatFailHoldUpNoImage) {
  queue_.webhooks.push_back({1});
  queue_.fail_all<ClaimDeliveriesCall>();
  queue_.copies = 10;
  queue_.fail_all<EndCopiesCall>();
  queue_.add_request(1, 1);
  settle();
  pipeline_.finish();
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 1);
}

// ---- commits whose answer was lost

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

TEST_F(DrainerTest, AClaimThatMayHaveHappenedIsGivenBackUncounted) {
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

// A FATAL error ends the process inside a call, where the drainer is destroyed under its own feet.
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
    queue_.copies = 1000;
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
