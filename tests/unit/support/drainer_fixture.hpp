// A drainer with a queue in memory, no presses, and a clock that a test moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "drain/drainer.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_pipeline.hpp"
#include "support/fake_queue.hpp"

namespace imgpress::test {

constexpr int kNumber = 7;

class DrainerTest : public testing::Test {
 protected:
  DrainerTest() {
    settings_.images_in_flight = 256;
    settings_.retry = {3, 1000, 60'000};
    settings_.lease = std::chrono::minutes(5);
    settings_.webhook_retry_delays_ms = {5'000, 300'000};
    start();
  }

  void start() {
    drainer_ = std::make_unique<Drainer>(kNumber, settings_, queue_, pipeline_, clock_.source());
  }

  // As if all images had been attempted once and were due again.
  void make_retries() {
    for (auto& image : queue_.images) {
      image.state = FakeQueue::State::kRetry;
      image.history.attempts = 1;
    }
  }

  // Turns until nothing is due at this moment; fails the test if the drainer spins.
  void settle() {
    for (int turns = 0; turns < 1000; ++turns) {
      ASSERT_TRUE(drainer_->turn());
      if (drainer_->deadline() > clock_.now()) return;
    }
    FAIL() << "the drainer spins";
  }

  // Moves the clock, and turns the drainer whenever it is due, as its owner does.
  void pass(Clock::duration time) {
    const TimePoint end = clock_.now() + time;
    settle();  // outcomes of the pipeline wake it
    while (drainer_->deadline() <= end) {
      clock_.pass(std::max<Clock::duration>(drainer_->deadline() - clock_.now(), {}));
      settle();
      if (HasFatalFailure()) return;
    }
    clock_.pass(std::max<Clock::duration>(end - clock_.now(), {}));
  }

  DrainerSettings settings_;
  FakeClock clock_;
  FakeQueue queue_{clock_};
  FakePipeline pipeline_;
  std::unique_ptr<Drainer> drainer_;
};

}  // namespace imgpress::test
