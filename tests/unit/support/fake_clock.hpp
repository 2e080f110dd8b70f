// Time that passes only when a test says so.
#pragma once

#include "drain/drainer.hpp"

namespace imgpress::test {

class FakeClock {
 public:
  TimePoint now() const { return now_; }
  void pass(Clock::duration time) { now_ += time; }
  Now source() {
    return [this] { return now_; };
  }

 private:
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
};

}  // namespace imgpress::test
