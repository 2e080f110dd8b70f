// Images that were interrupted several times are processed alone, and hold up the others only for a
// while.
#include "support/drainer_fixture.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::DrainerTest;
using State = test::FakeQueue::State;

class DrainerAloneTest : public DrainerTest {
 protected:
  // Of a new request: due, and to be processed alone.
  test::FakeQueue::Image& add_lone(std::uint8_t request) {
    queue_.add_request(request, 1);
    auto& image = queue_.images.back();
    image.state = State::kRetry;
    image.history.interruptions = 3;
    image.history.alone = true;
    return image;
  }
};

TEST_F(DrainerAloneTest, WaitsForOthersAndLetsNoneJoinIt) {
  queue_.add_request(1, 3);
  settle();
  add_lone(2);
  queue_.add_request(3, 5);
  drainer_->expect_work();
  settle();
  EXPECT_EQ(pipeline_.images.size(), 8u) << "this claim has told that the image is due";
  pipeline_.finish(7);
  settle();
  queue_.add_request(4, 5);
  drainer_->expect_work();
  pass(seconds(1));
  EXPECT_EQ(pipeline_.images.size(), 1u) << "nothing is claimed until all have ended";
  pipeline_.finish(1);
  settle();
  ASSERT_EQ(pipeline_.images.size(), 1u);
  EXPECT_TRUE(queue_.claims.back().idle);
  drainer_->expect_work();
  pass(minutes(1));
  EXPECT_EQ(pipeline_.images.size(), 1u) << "it is alone";
  pipeline_.finish(1);
  settle();
  EXPECT_EQ(pipeline_.images.size(), 5u) << "the others have their turn";
}

TEST_F(DrainerAloneTest, OthersHaveTheirTurnForAsLongAsItTook) {
  add_lone(1);
  add_lone(2);
  settle();
  ASSERT_EQ(pipeline_.images.size(), 1u);
  queue_.add_request(3, 250);
  pass(seconds(30));
  pipeline_.finish(1);
  settle();
  for (std::uint8_t i = 0; i < 29; ++i) {
    pipeline_.finish(1);
    queue_.add_request(static_cast<std::uint8_t>(4 + i), 1);
    drainer_->expect_work();
    pass(seconds(1));
    ASSERT_GT(pipeline_.images.size(), 200u);
  }
  pass(seconds(2));
  pipeline_.finish(pipeline_.images.size());
  pass(milliseconds(100));
  ASSERT_EQ(pipeline_.images.size(), 1u) << "then comes the second one";
  EXPECT_EQ(queue_.count(State::kHeld), 1);
}

TEST_F(DrainerAloneTest, SeveralFollowEachOtherAtOnceIfNothingElseWaits) {
  for (std::uint8_t request = 1; request <= 5; ++request) add_lone(request);
  for (int done = 0; done < 5; ++done) {
    settle();
    ASSERT_EQ(pipeline_.images.size(), 1u);
    pass(seconds(20));
    pipeline_.finish(1);
  }
  settle();
  EXPECT_EQ(queue_.count(State::kDone), 5);
}

TEST_F(DrainerAloneTest, ALockedOneHoldsUpNothing) {
  add_lone(1).locked = true;
  queue_.add_request(2, 1000);
  for (int second = 0; second < 6; ++second) {
    pass(seconds(1));
    pipeline_.finish(pipeline_.images.size());
  }
  pass(seconds(1));
  EXPECT_EQ(queue_.count(State::kDone), 1000);
  pass(minutes(1));
  EXPECT_LE(queue_.claims.size(), 200u) << "it is looked for once a second";
  queue_.images[0].locked = false;
  pass(seconds(2));
  EXPECT_EQ(pipeline_.images.size(), 1u);
}

TEST_F(DrainerAloneTest, IsGivenUpWhenItIsInterruptedAgain) {
  add_lone(1);
  queue_.add_request(2, 4);
  settle();
  ASSERT_EQ(pipeline_.images.size(), 1u);
  pipeline_.fail(Fault::kPressDied, Ending::kInterrupted);
  settle();
  EXPECT_EQ(queue_.images[0].state, State::kFailed);
  EXPECT_EQ(pipeline_.images.size(), 4u);
}

TEST_F(DrainerAloneTest, BecomesSoByThreeInterruptions) {
  queue_.add_request(1, 2);
  for (int interruptions = 0; interruptions < 3; ++interruptions) {
    settle();
    ASSERT_EQ(pipeline_.images.size(), 2u);
    pipeline_.fail(Fault::kPressDied, Ending::kInterrupted);
    pipeline_.fail(Fault::kPressDied, Ending::kInterrupted);
    pass(seconds(10));
  }
  EXPECT_EQ(pipeline_.images.size(), 1u);
  EXPECT_EQ(queue_.images[0].history.attempts + queue_.images[1].history.attempts, 7);
}

}  // namespace
}  // namespace imgpress
