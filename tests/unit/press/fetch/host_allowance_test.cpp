#include "press/fetch/hosts/host_allowance.hpp"

#include <gtest/gtest.h>

namespace imgpress::press {
namespace {

using Kind = HostReaction::Kind;
using std::chrono::milliseconds;

constexpr std::size_t kCeiling = 64;

class HostAllowanceTest : public ::testing::Test {
 protected:
  // Reports `count` transfers that ran one after the other.
  void note(std::size_t count, const HostReaction& reaction, std::size_t ceiling = kCeiling) {
    for (std::size_t i = 0; i < count; ++i) {
      ++serial_;
      allowance_.note(reaction, serial_, serial_, ceiling);
    }
  }
  // Reports as many transfers as the allowance permits; returns the new allowance.
  std::size_t round(const HostReaction& reaction) {
    note(allowance_.value(), reaction);
    return allowance_.value();
  }
  static HostReaction kept() {
    HostReaction reaction;
    reaction.kept_connection = true;
    return reaction;
  }
  static HostReaction connected_in(int ms) {
    HostReaction reaction;
    reaction.connect_time = milliseconds(ms);
    return reaction;
  }
  static HostReaction failed(Kind kind) {
    HostReaction reaction;
    reaction.kind = kind;
    return reaction;
  }

  HostAllowance allowance_;
  std::uint64_t serial_ = 0;
};

TEST_F(HostAllowanceTest, KeptConnectionsReachTheCeilingInTwoRounds) {
  EXPECT_EQ(allowance_.value(), 6u);
  EXPECT_EQ(round(kept()), 24u);
  EXPECT_EQ(round(kept()), 64u);
  EXPECT_EQ(round(kept()), 64u);
}

TEST_F(HostAllowanceTest, NewConnectionsGrowByHalfEachRound) {
  EXPECT_EQ(round({}), 9u);
  EXPECT_EQ(round({}), 13u);
  note(400, {});
  EXPECT_EQ(allowance_.value(), kCeiling);
}

TEST_F(HostAllowanceTest, DoesNotGrowBeyondNorShrinkToALowerCeiling) {
  note(20, kept(), 8);
  EXPECT_EQ(allowance_.value(), 8u);
  note(20, kept(), 3);
  EXPECT_EQ(allowance_.value(), 8u);
}

TEST_F(HostAllowanceTest, AConnectThatWasSlowForThisHostHalves) {
  note(24, connected_in(1));
  EXPECT_EQ(allowance_.value(), 18u);
  note(1, connected_in(1004));
  EXPECT_EQ(allowance_.value(), 9u);
}

TEST_F(HostAllowanceTest, ADistantHostIsNotCongested) {
  note(24, connected_in(900));
  EXPECT_EQ(allowance_.value(), 18u);
}

TEST_F(HostAllowanceTest, NeverFallsBelowTwo) {
  note(1, {});
  for (int i = 0; i < 5; ++i) note(1, failed(Kind::kUnconnected));
  EXPECT_EQ(allowance_.value(), 2u);
}

TEST_F(HostAllowanceTest, OneCongestionHalvesOnce) {
  note(24, {});
  allowance_.note_congestion(10, 24);
  allowance_.note_congestion(24, 40);
  EXPECT_EQ(allowance_.value(), 9u);
  allowance_.note_congestion(25, 40);
  EXPECT_EQ(allowance_.value(), 4u);
}

TEST_F(HostAllowanceTest, GrowsSlowlyAfterAHalving) {
  round(kept());
  allowance_.note_congestion(serial_, serial_);
  ASSERT_EQ(allowance_.value(), 12u);
  EXPECT_EQ(round(kept()), 13u);
  EXPECT_EQ(round(kept()), 14u);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(round({}), 14u);
  EXPECT_EQ(round({}), 15u);
}

TEST_F(HostAllowanceTest, DoesNotGrowWhileAnEarlierAttemptIsUnacknowledged) {
  HostReaction overtaking;
  overtaking.overtook_another = true;
  note(50, overtaking);
  EXPECT_EQ(allowance_.value(), 6u);
}

TEST_F(HostAllowanceTest, BusyAnswersAndSlowImagesChangeNothing) {
  note(1, {});
  note(50, failed(Kind::kBusy));
  note(7, failed(Kind::kUnanswered));
  EXPECT_EQ(allowance_.value(), 6u);
}

TEST_F(HostAllowanceTest, AHostThatIsDownIsNotLimited) {
  EXPECT_EQ(round(failed(Kind::kUnconnected)), 12u);
  EXPECT_EQ(round(failed(Kind::kUnanswered)), 24u);
  note(1, {});  // it is up again: the first allowance
  EXPECT_EQ(allowance_.value(), 6u);
  note(7, failed(Kind::kUnconnected));
  EXPECT_EQ(allowance_.value(), 2u);
  note(10, failed(Kind::kUnconnected));
  EXPECT_EQ(allowance_.value(), 12u);
}

}  // namespace
}  // namespace imgpress::press
