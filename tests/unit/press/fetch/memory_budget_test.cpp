// Which downloads may store how much. The random runs show that none is held up for good.
#include "press/fetch/memory_budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <vector>

namespace imgpress::press {
namespace {

wire::MemoryGrant room(std::int64_t bytes, bool idle = false, std::uint64_t received = 0) {
  return {received, bytes, idle};
}

TEST(MemoryBudgetTest, WithoutAGrantNothingIsLimited) {
  MemoryBudget budget;
  EXPECT_EQ(budget.reserve({1, 1u << 30, 1u << 30}), 1u << 30);
  EXPECT_EQ(budget.reserve({2, 1u << 30, 1u << 30}), 1u << 30);
  EXPECT_FALSE(budget.is_short());
}

TEST(MemoryBudgetTest, OneMayGoBeyondTheRoomWithAllThatItCanNeed) {
  MemoryBudget budget;
  budget.apply(room(100));
  EXPECT_EQ(budget.reserve({1, 60, 60}), 60u);
  EXPECT_EQ(budget.reserve({2, 60, 90}), 90u);
  EXPECT_EQ(budget.reserve({3, 60, 60}), 0u);
  EXPECT_FALSE(budget.next());
  budget.end(2, 90, 0);
  const auto granted = budget.next();
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->id, 3u) << "the other one has ended";
  EXPECT_FALSE(budget.is_short());
}

TEST(MemoryBudgetTest, TheFirstInLineIsNotOvertaken) {
  MemoryBudget budget;
  budget.apply(room(100));
  budget.reserve({1, 90, 90});
  budget.reserve({2, 50, 50});
  EXPECT_EQ(budget.reserve({3, 50, 50}), 0u);
  EXPECT_EQ(budget.reserve({4, 1, 1}), 0u);
  budget.end(1, 90, 0);
  EXPECT_EQ(budget.next()->id, 3u);
  EXPECT_EQ(budget.next()->id, 4u) << "the second is within the room now, so one may go beyond it";
}

TEST(MemoryBudgetTest, WhatIsOnItsWayToTheOwnerCounts) {
  MemoryBudget budget;
  budget.apply(room(100));
  budget.reserve({1, 90, 90});
  budget.end(1, 90, 80);
  budget.reserve({2, 90, 90});  // beyond
  EXPECT_EQ(budget.reserve({3, 10, 10}), 0u);
  budget.apply(room(20, false, 80));
  EXPECT_FALSE(budget.next());
  budget.apply(room(100, true, 80));
  EXPECT_EQ(budget.next()->id, 3u);
}

TEST(MemoryBudgetTest, OneGoesAheadWhileTheOwnerHoldsMoreThanTheLimitAndWorksOnNothing) {
  MemoryBudget budget;
  budget.apply(room(-50, true));
  EXPECT_EQ(budget.reserve({1, 10, 30}), 30u);
  EXPECT_EQ(budget.reserve({2, 10, 30}), 0u);
  budget.end(1, 30, 30);
  EXPECT_FALSE(budget.next()) << "the owner has not got it yet";
  budget.apply(room(-80, false, 30));
  EXPECT_FALSE(budget.next()) << "the owner works on it";
  budget.apply(room(-60, true, 30));
  EXPECT_EQ(budget.next()->id, 2u);
}

TEST(MemoryBudgetTest, OneThatHadToWaitWhileItGrewComesToItsEnd) {
  MemoryBudget budget;
  budget.apply(room(100));
  budget.reserve({1, 40, 80});
  budget.reserve({2, 40, 80});
  EXPECT_EQ(budget.reserve({1, 30, 40, true}), 40u) << "goes beyond";
  EXPECT_EQ(budget.reserve({2, 10, 40, true}), 0u);
  budget.apply(room(110));
  EXPECT_FALSE(budget.next());
  budget.end(1, 80, 0);
  EXPECT_EQ(budget.next()->bytes, 40u) << "10 would not take it far";
}

TEST(MemoryBudgetTest, ASlowOneLendsItsMemory) {
  MemoryBudget budget;
  budget.apply(room(100));
  budget.reserve({1, 90, 90});
  budget.reserve({2, 50, 50});
  budget.reserve({3, 20, 20});
  EXPECT_FALSE(budget.lend(2, 30)) << "it would be beyond the room without the rest in hand";
  EXPECT_TRUE(budget.lend(1, 80));
  EXPECT_EQ(budget.next()->id, 3u);
}

TEST(MemoryBudgetTest, OneThatEndsWhileItWaitsIsForgotten) {
  MemoryBudget budget;
  budget.apply(room(10));
  budget.reserve({1, 20, 20});
  budget.reserve({2, 5, 5});
  budget.forget(2);
  EXPECT_FALSE(budget.is_short());
}

// A fetcher and its owner in small: downloads that grow, are lent from, fail and end; an owner that
// compresses and records one after another, and whose limit changes.
class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {}

  // Returns when all downloads have ended; fails if nothing can happen any more.
  void run(std::size_t downloads) {
    tell();
    while (ended_ < downloads) {
      while (waiting_.size() + running_.size() < 20 && started_ < downloads) start();
      while (const auto granted = budget_.next()) resume(*granted);
      check();
      if (!step()) {
        FAIL() << "all wait: " << waiting_.size() << " downloads, owner " << owner_.size();
      }
    }
    EXPECT_EQ(budget_.reserved(), 0u);
  }

 private:
  static constexpr std::uint64_t kMost = 64;
  struct Download {
    std::uint64_t size = 0;
    std::uint64_t got = 0;
    std::uint64_t reserved = 0;
  };

  bool chance(unsigned percent) { return random_() % 100 < percent; }

  void start() {
    const std::uint64_t id = ++started_;
    Download made{random_() % kMost + 1};
    place(id, made, budget_.reserve({id, 4, kMost}));
  }
  void place(std::uint64_t id, Download download, std::uint64_t bytes) {
    download.reserved += bytes;
    (bytes > 0 ? running_ : waiting_)[id] = download;
  }
  void resume(const MemoryBudget::Granted& granted) {
    Download download = waiting_.at(granted.id);
    waiting_.erase(granted.id);
    place(granted.id, download, granted.bytes);
  }

  // Something that happens by itself. False if nothing can.
  bool step() {
    if (!owner_.empty() && (running_.empty() || chance(40))) {
      held_ -= owner_.back();
      owner_.pop_back();
      tell();
    } else if (!running_.empty()) {
      advance(std::next(running_.begin(), static_cast<long>(random_() % running_.size())));
    } else {
      return false;
    }
    if (chance(2)) limit_ = static_cast<std::int64_t>(random_() % 300);
    if (chance(10)) tell();
    return true;
  }
  void advance(std::map<std::uint64_t, Download>::iterator found) {
    const std::uint64_t id = found->first;
    Download& download = found->second;
    if (chance(5) && budget_.lend(id, download.reserved - download.got)) {
      download.reserved = download.got;
    } else if (chance(2) || download.got == download.size) {
      end(id, download);
    } else if (download.got < download.reserved) {
      ++download.got;
    } else {
      const Download grown = download;
      running_.erase(found);
      place(id, grown,
            budget_.reserve({id, std::min<std::uint64_t>(8, kMost - grown.reserved),
                             kMost - grown.reserved, true}));
    }
  }
  void end(std::uint64_t id, const Download& download) {
    const bool is_whole = download.got == download.size;
    budget_.end(id, download.reserved, is_whole ? download.size : 0);
    if (is_whole) {
      received_ += download.size;
      held_ += download.size;
      owner_.push_back(download.size);
    }
    running_.erase(id);
    ++ended_;
  }
  void tell() {
    budget_.apply({received_, limit_ - static_cast<std::int64_t>(held_), owner_.empty()});
    told_limit_ = limit_;
    highest_limit_ = std::max(highest_limit_, limit_);
  }
  void check() {
    const auto all = static_cast<std::int64_t>(held_ + budget_.reserved());
    // What was granted under a higher limit stays granted.
    ASSERT_LE(all, highest_limit_ + static_cast<std::int64_t>(kMost));
    if (all <= told_limit_) highest_limit_ = told_limit_;
  }

  std::mt19937 random_;
  MemoryBudget budget_;
  std::map<std::uint64_t, Download> running_;
  std::map<std::uint64_t, Download> waiting_;
  std::vector<std::uint64_t> owner_;
  std::uint64_t started_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t held_ = 0;
  std::int64_t limit_ = 200;
  std::int64_t told_limit_ = 200;
  std::int64_t highest_limit_ = 200;
};

TEST(MemoryBudgetTest, NoOrderOfEventsHoldsDownloadsUpForGood) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Simulation(seed).run(300);
    if (HasFatalFailure() || HasFailure()) return;
  }
}

}  // namespace
}  // namespace imgpress::press
