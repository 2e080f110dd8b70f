// The drainer reads the rules for hosts and hands them to the pipeline.
#include "support/drainer_fixture.hpp"

namespace imgpress::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DrainerHostRulesTest : public DrainerTest {
 protected:
  std::size_t reads() const { return queue_.calls<HostRulesCall>().size(); }
};

TEST_F(DrainerHostRulesTest, AWakeUpBringsNewRulesSoon) {
  pass(seconds(10));
  queue_.host_rules.rules = {{"a", 1000, 2, false}};
  drainer_->expect_work();
  pass(seconds(1));
  ASSERT_EQ(pipeline_.host_rules.size(), 1u);
  EXPECT_EQ(pipeline_.host_rules[0], queue_.host_rules.rules[0]);
}

TEST_F(DrainerHostRulesTest, ManyWakeUpsDoNotReadThemEachTime) {
  settle();
  const std::size_t before = reads();
  for (int i = 0; i < 1000; ++i) {
    drainer_->expect_work();
    pass(milliseconds(1));
  }
  EXPECT_LE(reads(), before + 4);
  EXPECT_GE(reads(), before + 3);
}

TEST_F(DrainerHostRulesTest, TheyAreReadAgainWhenAPauseEnds) {
  queue_.host_rules.rules = {{"a", 0, 0, true}};
  queue_.host_rules.changes_in = seconds(7);
  settle();
  EXPECT_EQ(reads(), 1u);
  queue_.host_rules = {};
  pass(seconds(8));
  EXPECT_EQ(reads(), 2u);
  EXPECT_TRUE(pipeline_.host_rules.empty());
}

TEST_F(DrainerHostRulesTest, AFailureIsRepeated) {
  queue_.host_rules.rules = {{"a", 1000, 2, false}};
  queue_.end_next<HostRulesCall>(CallEnd::kFailed);
  pass(seconds(2));
  EXPECT_EQ(pipeline_.host_rules.size(), 1u);
}

}  // namespace
}  // namespace imgpress::test
