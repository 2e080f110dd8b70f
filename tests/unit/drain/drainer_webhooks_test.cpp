// How the drainer claims, delivers and records webhooks.
#include "support/drainer_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::DrainerTest;
using State = test::FakeQueue::State;

TEST_F(DrainerTest, DeliversWebhooksAndRetriesFailures) {
  queue_.webhooks.push_back({1});
  queue_.webhooks.push_back({2});
  settle();
  ASSERT_EQ(pipeline_.deliveries.size(), 2u);
  pipeline_.deliver();
  pipeline_.deliver(Fault::kTimeout);
  settle();
  EXPECT_TRUE(queue_.webhooks[0].delivered);
  EXPECT_FALSE(queue_.webhooks[1].delivered);
  pass(seconds(4));
  EXPECT_TRUE(pipeline_.deliveries.empty());
  pass(seconds(2));
  EXPECT_EQ(pipeline_.deliveries.size(), 1u);
}

TEST_F(DrainerTest, AWebhookIsGivenUpAfterTheLastDelay) {
  queue_.webhooks.push_back({1});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    settle();
    ASSERT_EQ(pipeline_.deliveries.size(), 1u) << attempt;
    pipeline_.deliver(Fault::kTimeout);
    pass(minutes(6));
  }
  EXPECT_TRUE(queue_.webhooks[0].given_up);
  EXPECT_TRUE(pipeline_.deliveries.empty());
}

TEST_F(DrainerTest, DeliversAtMostThirtyTwoAtATime) {
  for (std::int64_t id = 1; id <= 80; ++id) queue_.webhooks.push_back({id});
  settle();
  EXPECT_EQ(pipeline_.deliveries.size(), 32u);
  pipeline_.deliver();
  settle();
  EXPECT_EQ(pipeline_.deliveries.size(), 32u);
}

TEST_F(DrainerTest, AClaimOfWebhooksNamesThoseUnderWay) {
  queue_.webhooks = {{1}, {2}, {3}};
  settle();
  queue_.webhooks[0].locked = true;
  pipeline_.deliver();
  settle();
  std::vector<std::int64_t> held;
  queue_.on_submit = [&](const Call& call) {
    if (const auto* claim = std::get_if<ClaimDeliveriesCall>(&call)) held = claim->held;
  };
  queue_.webhooks.push_back({4});
  drainer_->expect_work();
  settle();
  std::sort(held.begin(), held.end());
  EXPECT_EQ(held, (std::vector<std::int64_t>{2, 3})) << "without the one that has ended";
}

TEST_F(DrainerTest, TheWebhookOfAnEndedRequestIsClaimedAtOnce) {
  queue_.add_request(1, 1);
  settle();
  queue_.on_submit = [&](const Call& call) {
    if (std::holds_alternative<FinishCall>(call))
      queue_.webhooks.push_back({1, 0, false, clock_.now(), 0});
  };
  pipeline_.finish();
  settle();
  EXPECT_EQ(pipeline_.deliveries.size(), 1u);
}

TEST_F(DrainerTest, ClaimsWebhooksWhileTheWindowIsFull) {
  settings_.images_in_flight = 2;
  start();
  queue_.add_request(1, 2);
  settle();
  EXPECT_EQ(drainer_->held(), 2u);
  queue_.webhooks.push_back({1});
  drainer_->expect_work();
  settle();
  EXPECT_EQ(pipeline_.deliveries.size(), 1u);
  const auto calls = queue_.calls<ClaimDeliveriesCall>().size();
  pass(seconds(10));
  EXPECT_LE(queue_.calls<ClaimDeliveriesCall>().size(), calls + 41) << "not without pause";
}

TEST_F(DrainerTest, RetriesAWebhookWhileTheWindowIsFull) {
  settings_.images_in_flight = 2;
  start();
  queue_.add_request(1, 2);
  for (auto& image : queue_.images) image.locked = true;  // a user's open transaction
  settle();
  pipeline_.finish(2);
  settle();
  queue_.webhooks.push_back({1, 0, false, clock_.now(), 0});
  drainer_->expect_work();
  settle();
  ASSERT_EQ(pipeline_.deliveries.size(), 1u);
  pipeline_.deliver(Fault::kTimeout);
  settle();
  pass(seconds(6));
  EXPECT_EQ(pipeline_.deliveries.size(), 1u) << "due after 5 s";
}

TEST_F(DrainerTest, RenewsTheLeaseOfAWebhookThatIsUnderWay) {
  queue_.webhooks.push_back({1});
  settle();
  pass(minutes(5));
  ASSERT_FALSE(queue_.renewals.empty());
  EXPECT_EQ(queue_.renewals.back().tokens, std::vector<std::int64_t>{queue_.webhooks[0].token});
  pipeline_.deliver();
  settle();
  pass(minutes(5));
  EXPECT_TRUE(queue_.renewals.back().tokens.empty());
}

TEST_F(DrainerTest, AWebhookThatIsClaimedAgainWhileUnderWayIsNotSentAgain) {
  queue_.webhooks.push_back({1});
  settle();
  queue_.webhooks[0].token = 0;  // the lease was lost, and its row put back
  drainer_->expect_work();
  settle();
  ASSERT_NE(queue_.webhooks[0].token, 0) << "claimed again";
  EXPECT_EQ(pipeline_.deliveries.size(), 1u) << "but not sent again";
  pipeline_.deliver();
  settle();
  EXPECT_TRUE(queue_.webhooks[0].delivered);
}

TEST_F(DrainerTest, AnUncertainRecordOfADeliveryIsRepeated) {
  queue_.webhooks.push_back({1});
  settle();
  queue_.end_next<FinishDeliveriesCall>(CallEnd::kUnknown, false);
  pipeline_.deliver();
  settle();
  EXPECT_FALSE(queue_.webhooks[0].delivered);
  pass(seconds(1));
  EXPECT_TRUE(queue_.webhooks[0].delivered);
}

TEST_F(DrainerTest, AnUncertainClaimOfWebhooksIsReleasedAndDoesNotCount) {
  queue_.webhooks.push_back({1});
  queue_.end_next<ClaimDeliveriesCall>(CallEnd::kUnknown, true);
  settle();
  EXPECT_TRUE(pipeline_.deliveries.empty());
  pass(seconds(2));
  EXPECT_EQ(pipeline_.deliveries.size(), 1u);
  EXPECT_EQ(queue_.webhooks[0].attempts, 1);
}

TEST_F(DrainerTest, AfterAnUncertainRecordOfARetryTheWebhookIsSentAgainWhenDue) {
  queue_.webhooks.push_back({1});
  settle();
  queue_.end_next<FinishDeliveriesCall>(CallEnd::kUnknown, true);
  pipeline_.deliver(Fault::kTimeout);
  settle();
  queue_.fail_all<FinishDeliveriesCall>();
  pass(minutes(2));  // nothing wakes the drainer: its regular claim finds the webhook
  ASSERT_EQ(pipeline_.deliveries.size(), 1u);
  queue_.fail_all<FinishDeliveriesCall>(false);
  pipeline_.deliver();
  pass(minutes(1));
  EXPECT_TRUE(queue_.webhooks[0].delivered);
  EXPECT_EQ(queue_.webhooks[0].attempts, 2);
}

TEST_F(DrainerTest, ADeliveredWebhookThatIsClaimedAgainIsNotSentAgain) {
  queue_.webhooks.push_back({1});
  settle();
  queue_.fail_all<FinishDeliveriesCall>();
  pipeline_.deliver();
  settle();
  queue_.webhooks[0].token = 0;  // the lease was lost, and the row put back
  drainer_->expect_work();
  settle();
  EXPECT_NE(queue_.webhooks[0].token, 0) << "claimed again";
  EXPECT_TRUE(pipeline_.deliveries.empty());
  queue_.fail_all<FinishDeliveriesCall>(false);
  pass(seconds(1));
  EXPECT_TRUE(queue_.webhooks[0].delivered);
}

TEST_F(DrainerTest, AWebhookWhoseRowIsLockedIsHeldAndNotSentAgain) {
  queue_.webhooks = {{1}};
  settle();
  queue_.webhooks[0].locked = true;
  pipeline_.deliver();
  pass(minutes(10));
  EXPECT_FALSE(queue_.webhooks[0].delivered);
  EXPECT_TRUE(pipeline_.deliveries.empty());
  EXPECT_EQ(queue_.renewals.back().tokens, std::vector<std::int64_t>{queue_.webhooks[0].token});
  EXPECT_LE(queue_.calls<FinishDeliveriesCall>().size(), 601u) << "once a second";
  queue_.webhooks[0].locked = false;
  pass(seconds(1));
  EXPECT_TRUE(queue_.webhooks[0].delivered);
  EXPECT_EQ(queue_.webhooks[0].attempts, 1);
}

TEST_F(DrainerTest, WebhooksWhoseRowsAreLockedHoldUpNoOthers) {
  for (std::int64_t id = 1; id <= 32; ++id) queue_.webhooks.push_back({id});
  settle();
  for (auto& webhook : queue_.webhooks) webhook.locked = true;
  for (int i = 0; i < 32; ++i) pipeline_.deliver(i % 2 == 0 ? Fault::kNone : Fault::kTimeout);
  settle();
  for (std::int64_t id = 33; id <= 80; ++id) queue_.webhooks.push_back({id});
  drainer_->expect_work();
  settle();
  EXPECT_EQ(pipeline_.deliveries.size(), 32u) << "as many at a time as ever";
  while (!pipeline_.deliveries.empty()) {
    pipeline_.deliver();
    settle();
  }
  for (const auto& webhook : queue_.webhooks) EXPECT_EQ(webhook.delivered, !webhook.locked);
}

TEST_F(DrainerTest, FailingCallsAboutWebhooksDoNotDelayImages) {
  queue_.webhooks.push_back({1});
  queue_.fail_all<ClaimDeliveriesCall>();
  queue_.add_request(1, 1);
  settle();
  pipeline_.finish();
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 1);
}

}  // namespace
}  // namespace imgpress
