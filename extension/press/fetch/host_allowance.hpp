// How many transfers one host may have at once, learnt from how the earlier ones went.
//
// A small origin takes few connections at a time and drops the attempts beyond that; a dropped one
// costs seconds, because the kernel tries again after 1, 3 and 7 s only. So it begins with few,
// grows with every transfer that goes well, and halves when attempts get lost.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace imgpress::press {

// How a transfer went, as far as it tells how much its host can take.
struct Outcome {
  enum class Kind : std::uint8_t {
    kAnswered,
    kBusy,         // answered with "not so fast" (429, 503)
    kUnconnected,  // refused, or no connection in time
    kUnanswered,   // any other end without a whole answer
  };
  Kind kind = Kind::kAnswered;
  bool kept = false;      // its connection stays open: the next transfer needs no new one
  bool excused = false;   // AdmissionQueue::excuse() was called for it
  bool overtook = false;  // an older attempt to connect still waits to be let in
  std::optional<std::chrono::milliseconds> connect_time{};  // of a connection that it opened
};

class HostAllowance {
 public:
  static constexpr std::size_t kFirst = 6;
  static constexpr std::size_t kLeast = 2;

  std::size_t value() const { return value_; }

  // `serial` is that of the transfer, `newest` that of the one started last. `ceiling` is how far
  // the allowance may grow now.
  void note(const Outcome& outcome, std::uint64_t serial, std::uint64_t newest,
            std::size_t ceiling) {
    if (outcome.kind == Outcome::Kind::kBusy) return;
    if (outcome.kind != Outcome::Kind::kAnswered) {
      failures_ = std::min(failures_ + 1, kDownAfter);
      // Nobody is there to be spared, and other hosts' images wait behind this one's.
      if (is_down()) return raise(1, ceiling);
      if (outcome.kind == Outcome::Kind::kUnconnected) strained(serial, newest);
      return;
    }
    if (is_down()) value_ = std::min(value_, kFirst);
    failures_ = 0;
    if (outcome.connect_time && is_slow(*outcome.connect_time)) {
      strained(serial, newest);
    } else if (!outcome.overtook) {
      grow(outcome.kept, ceiling);
    }
  }

  // The transfer `serial` found the host's door shut. Those that had started before the last
  // halving belong to the same rush and change nothing any more.
  void strained(std::uint64_t serial, std::uint64_t newest) {
    if (serial <= halved_at_) return;
    halved_at_ = newest;
    value_ = std::max(value_ / 2, kLeast);
    is_cautious_ = true;
    credit_ = 0;
  }

 private:
  // The kernel repeats a lost attempt after one second at the earliest.
  static constexpr std::chrono::milliseconds kLostTime{500};
  static constexpr unsigned kDownAfter = 8;  // failures in a row

  bool is_down() const { return failures_ >= kDownAfter; }

  // By the host's own measure: a far one is slow to connect to at all times.
  bool is_slow(std::chrono::milliseconds connect_time) {
    fastest_ = std::min(fastest_.value_or(connect_time), connect_time);
    return connect_time > *fastest_ + kLostTime;
  }

  // With connections that stay open, each round asks for new ones only as far as the allowance
  // grows: it may quadruple by the round. Where every transfer knocks anew it takes half as much
  // again, or the loss of one attempt would be known too late. After a halving it is one more for
  // each full round, or for each eighth: not to be back at once where it hurt.
  void grow(bool kept, std::size_t ceiling) {
    if (kept && !is_cautious_) return raise(3, ceiling);
    const std::size_t price = is_cautious_ ? (kept ? value_ : 8 * value_) : 2;
    if (++credit_ < price) return;
    credit_ = 0;
    raise(1, ceiling);
  }

  void raise(std::size_t step, std::size_t ceiling) {
    value_ = std::max(value_, std::min(value_ + step, ceiling));
  }

  std::size_t value_ = kFirst;
  bool is_cautious_ = false;
  std::size_t credit_ = 0;
  std::uint64_t halved_at_ = 0;
  unsigned failures_ = kDownAfter;  // down until it has answered for the first time
  std::optional<std::chrono::milliseconds> fastest_;
};

}  // namespace imgpress::press
