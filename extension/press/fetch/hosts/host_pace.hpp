// When the next transfer of a host may start whose rate an administrator has limited: a token
// bucket, as the time at which the next token is there.
//
// What cannot start soon is sent back, so that it does not take the places of other hosts, with a
// time of its own: those times are as far apart as the starts will be.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace imgpress::press {

class HostPace {
 public:
  using Clock = std::chrono::steady_clock;
  using TimePoint = Clock::time_point;
  using Duration = Clock::duration;

  // The bucket: what may start at once after a pause. An event loop does not wake on time to the
  // microsecond.
  static constexpr std::chrono::milliseconds kBurst{100};
  // As many transfers are held as can start within this time.
  static constexpr std::chrono::seconds kHeld{5};
  // The others come back after this time at most: the limit may have been raised then.
  static constexpr std::chrono::minutes kLongestDelay{60};

  bool is_limited() const { return interval_ > Duration::zero(); }
  void set_interval(Duration interval) {
    if (interval == interval_) return;
    interval_ = interval;
    next_ = reserved_ = {};
  }

  bool is_open(TimePoint now) const { return !is_limited() || next_ <= now; }
  TimePoint next() const { return next_; }
  void note_start(TimePoint now) { next_ = std::max(next_, now - kBurst) + interval_; }

  // REQUIRES: is_limited()
  std::size_t places() const { return static_cast<std::size_t>(kHeld / interval_) + 1; }

  // How long an item that finds no place stays away. REQUIRES: is_limited()
  Duration reserve(TimePoint now) {
    reserved_ = std::max(reserved_, now + kHeld) + interval_;
    if (reserved_ > now + kLongestDelay) reserved_ = now + kLongestDelay / 2;
    return reserved_ - now;
  }

 private:
  Duration interval_{};
  TimePoint next_{};
  TimePoint reserved_{};  // by the last item that was sent back
};

}  // namespace imgpress::press
