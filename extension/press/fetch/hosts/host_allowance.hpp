// How many transfers one host may have at once, learnt from the earlier ones: a congestion window.
//
// A small origin accepts few connections at a time and drops further attempts. Each dropped attempt
// costs seconds, because the kernel repeats it only after 1, 3 and 7 s. So a host begins with a
// small allowance; it grows with every transfer that goes well and is halved when attempts get
// lost.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace imgpress::press {

// What a transfer that has ended tells about the load on its host.
struct HostReaction {
  enum class Kind : std::uint8_t {
    kAnswered,
    kBusy,         // answered "slow down" (429, 503)
    kUnconnected,  // refused, or no connection in time
    kUnanswered,   // failed in any other way before the answer was complete
  };
  Kind kind = Kind::kAnswered;
  bool kept_connection = false;   // it stays open for the next transfer
  bool counted_as_slow = false;   // HostQueues::count_as_slow() was called for it
  bool overtook_another = false;  // an earlier transfer still waits for an acknowledgement
  std::optional<std::chrono::milliseconds> connect_time{};  // of a connection that it opened
};

class HostAllowance {
 public:
  static constexpr std::size_t kFirst = 6;
  static constexpr std::size_t kLeast = 2;

  std::size_t value() const { return value_; }

  // `serial` is the number of the transfer, `newest` that of the one started last. The allowance
  // grows up to `ceiling`.
  void note(const HostReaction& reaction, std::uint64_t serial, std::uint64_t newest,
            std::size_t ceiling) {
    using Kind = HostReaction::Kind;
    if (reaction.kind == Kind::kBusy) return;
    if (reaction.kind != Kind::kAnswered) {
      failures_ = std::min(failures_ + 1, kDownAfter);
      // The host is down, so there is no load to limit. With a larger allowance its images fail
      // soon, and those of other hosts wait less.
      if (is_down()) return raise(1, ceiling);
      if (reaction.kind == Kind::kUnconnected) note_congestion(serial, newest);
      return;
    }
    if (is_down()) value_ = std::min(value_, kFirst);
    failures_ = 0;
    if (reaction.connect_time && connected_slowly(*reaction.connect_time)) {
      note_congestion(serial, newest);
    } else if (!reaction.overtook_another) {
      grow(reaction.kept_connection, ceiling);
    }
  }

  // The host dropped what the transfer `serial` sent. Transfers that started before the last
  // halving met the same congestion, so they do not halve the allowance again.
  void note_congestion(std::uint64_t serial, std::uint64_t newest) {
    if (serial <= halved_at_) return;
    halved_at_ = newest;
    value_ = std::max(value_ / 2, kLeast);
    was_halved_ = true;
    credit_ = 0;
  }

 private:
  // The kernel repeats a lost attempt after one second at the earliest.
  static constexpr std::chrono::milliseconds kLostTime{500};
  static constexpr unsigned kDownAfter = 8;  // failures in a row

  bool is_down() const { return failures_ >= kDownAfter; }

  // Compared with the host's fastest connection: a distant host always takes long to connect.
  bool connected_slowly(std::chrono::milliseconds connect_time) {
    fastest_ = std::min(fastest_.value_or(connect_time), connect_time);
    return connect_time > *fastest_ + kLostTime;
  }

  // A round is as many transfers as the allowance. With connections that stay open, a round opens
  // new ones only as far as the allowance grows, so it may quadruple each round. Where every
  // transfer opens a connection it grows by half, or the loss of an attempt would be noticed too
  // late. After a halving it grows by one each round, or each eighth round without kept
  // connections, so as not to be back soon at what was too much.
  void grow(bool kept_connection, std::size_t ceiling) {
    if (kept_connection && !was_halved_) return raise(3, ceiling);
    const std::size_t price = was_halved_ ? (kept_connection ? value_ : 8 * value_) : 2;
    if (++credit_ < price) return;
    credit_ = 0;
    raise(1, ceiling);
  }

  void raise(std::size_t step, std::size_t ceiling) {
    value_ = std::max(value_, std::min(value_ + step, ceiling));
  }

  std::size_t value_ = kFirst;
  bool was_halved_ = false;
  std::size_t credit_ = 0;  // transfers that went well since the last raise
  std::uint64_t halved_at_ = 0;
  unsigned failures_ = kDownAfter;  // it counts as down until its first answer
  std::optional<std::chrono::milliseconds> fastest_;
};

}  // namespace imgpress::press
