// Decides which transfer starts next. Each host has a queue of its own, and hosts take turns. There
// is a limit for the transfers that run at once, for each host and for all together; and a host
// that has asked for a pause is given no transfer until the pause is over. A rule of the
// administrator's can set limits for a host, or pause it.
//
// libcurl could queue transfers itself, but their time-outs would run while they wait.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/rules/host_limits.hpp"
#include "core/rules/host_rule.hpp"
#include "core/rules/host_state.hpp"
#include "press/fetch/hosts/host_allowance.hpp"
#include "press/fetch/hosts/host_pace.hpp"

namespace imgpress::press {

template <typename T>
class HostQueues {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr TimePoint kNoPause{};

  // Hosts without work whose allowances and pauses are remembered; beyond that the one that has
  // been idle longest is forgotten.
  static constexpr std::size_t kRememberedHosts = 1000;

  explicit HostQueues(std::size_t total_limit) : total_limit_(total_limit) {}

  // Transfers that run already are not affected.
  void set_host_limits(const HostLimits& limits) {
    limits_ = limits;
    for (auto& [name, host] : hosts_) make_ready(name, host);
  }

  // Finds the rule for a host.
  using RuleOf = std::function<HostRule(const std::string& host_name)>;
  void set_rules(RuleOf rule_of) {
    rule_of_ = std::move(rule_of);
    for (auto& [name, host] : hosts_) {
      obey(name, host);
      make_ready(name, host);
    }
  }
  bool is_paused_by_rule(const std::string& host_name) const {
    const auto found = hosts_.find(host_name);
    return found != hosts_.end() && found->second.rule.paused;
  }
  // nullptr: its rate is not limited.
  HostPace* pace(const std::string& host_name) {
    HostPace& pace = hosts_.at(host_name).pace;
    return pace.is_limited() ? &pace : nullptr;
  }
  std::vector<std::string> hosts_with_waiting() const {
    std::vector<std::string> names;
    for (const auto& [name, host] : hosts_) {
      if (!host.waiting.empty()) names.push_back(name);
    }
    return names;
  }

  void push(const std::string& host_name, T item) {
    const auto [place, is_new] = hosts_.try_emplace(host_name);
    Host& host = place->second;
    if (is_new) obey(host_name, host);
    if (host.is_idle) {
      idle_.erase(host.idle_place);
      host.is_idle = false;
    }
    host.waiting.push_back(std::move(item));
    ++waiting_;
    make_ready(host_name, host);
  }

  // Moves the next item that may start into `item`; false when none may. Each item that was started
  // must be reported to finished() in the end.
  bool start_next(T& item) {
    while (active_ < total_limit_ && !ready_.empty()) {
      const std::string name = std::move(ready_.front());
      ready_.pop_front();
      const auto found = hosts_.find(name);
      if (found == hosts_.end()) continue;  // forgotten: its items were taken
      Host& host = found->second;
      host.is_ready = false;
      if (!may_start(host)) continue;  // paused, or its limit was lowered
      item = std::move(host.waiting.front());
      host.waiting.pop_front();
      --waiting_;
      ++host.active;
      ++active_;
      ++newest_;
      host.pace.note_start(now_);
      ++host.started;
      make_ready(name, host);
      return true;
    }
    return false;
  }

  // The serial number of the item that was started last. They count from 1.
  std::uint64_t newest() const { return newest_; }

  void finished(const std::string& host_name, std::uint64_t serial, const HostReaction& reaction) {
    Host& host = hosts_.at(host_name);
    // A host that does not use up its allowance gives no reason to raise it.
    const std::size_t ceiling = host.waiting.empty()
                                    ? host.allowance.value()
                                    : std::min(max_connections(host), total_limit_);
    host.allowance.note(reaction, serial, newest_, ceiling);
    --host.active;
    if (reaction.counted_as_slow) --host.slow;
    --active_;
    make_ready(host_name, host);
    remember_if_idle(host_name, host);
  }

  // A started item has its connection and waits long for the answer. The host is slow but not
  // congested, so the item no longer counts against the allowance (only against the fixed limit):
  // a few transfers that hang must not block all others of their host.
  void count_as_slow(const std::string& host_name) {
    Host& host = hosts_.at(host_name);
    ++host.slow;
    make_ready(host_name, host);
  }

  // The connection of the started item `serial` gets no acknowledgement from the host.
  void note_congestion(const std::string& host_name, std::uint64_t serial) {
    hosts_.at(host_name).allowance.note_congestion(serial, newest_);
  }

  // Nothing of this host starts before `end`. Of several pauses the one that ends last counts.
  // REQUIRES: one of the host's items has been started and is not finished.
  void pause(const std::string& host_name, TimePoint end) {
    Host& host = hosts_.at(host_name);
    if (end <= host.pause_end) return;
    if (host.pause_end == kNoPause) ++host.pauses;
    host.pause_end = end;
    pause_ends_.emplace(end, host_name);
  }

  // In the past, or kNoPause, when the host is not paused.
  TimePoint pause_end(const std::string& host_name) const {
    const auto found = hosts_.find(host_name);
    return found == hosts_.end() ? kNoPause : found->second.pause_end;
  }

  // Lets hosts start again whose pause is over, or whose limited rate allows it. To be called at
  // next_pause_end(), and before start_next().
  void end_pauses(TimePoint now) {
    now_ = now;
    while (!pace_ends_.empty() && pace_ends_.begin()->first <= now) {
      const auto found = hosts_.find(pace_ends_.begin()->second);
      pace_ends_.erase(pace_ends_.begin());
      if (found == hosts_.end()) continue;
      found->second.waits_for_pace = false;
      make_ready(found->first, found->second);
    }
    while (!pause_ends_.empty() && pause_ends_.begin()->first <= now) {
      const std::string name = std::move(pause_ends_.begin()->second);
      pause_ends_.erase(pause_ends_.begin());
      const auto found = hosts_.find(name);
      if (found == hosts_.end() || found->second.pause_end > now) continue;
      found->second.pause_end = kNoPause;
      found->second.postponed = 0;
      make_ready(name, found->second);
    }
  }
  TimePoint next_pause_end() const {
    const TimePoint pause = pause_ends_.empty() ? TimePoint::max() : pause_ends_.begin()->first;
    return pace_ends_.empty() ? pause : std::min(pause, pace_ends_.begin()->first);
  }

  // For the next item of a paused host that is not held: for how many further pauses it should stay
  // away, so that those which come back at once are no more than may start. Few at first, since the
  // host may have recovered then.
  std::size_t pauses_to_skip(const std::string& host_name) {
    Host& host = hosts_.at(host_name);
    return std::min(host.postponed++ / host.allowance.value(), host.pauses);
  }

  // How many items of a host may run at a time.
  std::size_t allowance(const std::string& host_name) const {
    return hosts_.at(host_name).allowance.value();
  }

  // Removes the items of a host that have not been started, except for the first ones.
  std::deque<T> take_waiting(const std::string& host_name, std::size_t keep) {
    Host& host = hosts_.at(host_name);
    std::deque<T> taken;
    for (; host.waiting.size() > keep; --waiting_) {
      taken.push_front(std::move(host.waiting.back()));
      host.waiting.pop_back();
    }
    remember_if_idle(host_name, host);
    return taken;
  }

  void note_error(const std::string& host_name, const std::string& error) {
    hosts_.at(host_name).last_error = error;
  }

  // What is known of the busiest hosts. To be called once a second: the rates are averages of late.
  std::vector<HostState> states(TimePoint now) {
    std::vector<HostState> states;
    for (auto& [name, host] : hosts_) {
      host.rate = kRateMemory * host.rate + (1 - kRateMemory) * std::exchange(host.started, 0);
      if (host.rate < kLeastRate) host.rate = 0;
      states.push_back(state_of(name, host, now));
    }
    const auto busier = [](const HostState& a, const HostState& b) {
      return std::make_tuple(a.connections + a.waiting, a.starts_per_1000_s, a.pause_s) >
             std::make_tuple(b.connections + b.waiting, b.starts_per_1000_s, b.pause_s);
    };
    const std::size_t count = std::min(kReportedHosts, states.size());
    const auto end = states.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(states.begin(), end, states.end(), busier);
    states.erase(end, states.end());
    return states;
  }

  bool has_waiting() const { return waiting_ > 0; }

 private:
  static constexpr double kRateMemory = 0.8;  // each second
  static constexpr double kLeastRate = 0.05;

  struct Host {
    HostAllowance allowance;
    HostRule rule;
    HostPace pace;
    std::size_t active = 0;
    std::size_t slow = 0;  // of the active ones: see count_as_slow()
    TimePoint pause_end = kNoPause;
    std::size_t pauses = 0;       // so far
    std::size_t postponed = 0;    // items, in this pause
    bool is_ready = false;        // its name is in ready_
    bool waits_for_pace = false;  // its name is in pace_ends_
    bool is_idle = false;         // its name is in idle_
    std::list<std::string>::iterator idle_place;
    std::deque<T> waiting;
    int started = 0;  // since the last call of states()
    double rate = 0;  // starts a second
    std::string last_error;
  };

  HostState state_of(const std::string& name, const Host& host, TimePoint now) const {
    using std::chrono::ceil;
    const auto pause = ceil<std::chrono::seconds>(std::max(host.pause_end, now) - now).count();
    const std::size_t allowed = std::min(host.allowance.value(), max_connections(host));
    return {name,
            static_cast<std::uint32_t>(host.active),
            static_cast<std::uint32_t>(host.waiting.size()),
            static_cast<std::uint32_t>(allowed),
            static_cast<std::uint32_t>(1000 * host.rate),
            static_cast<std::uint32_t>(std::min<std::int64_t>(pause, UINT32_MAX)),
            host.last_error};
  }

  void obey(const std::string& name, Host& host) {
    if (!rule_of_) return;
    host.rule = rule_of_(name);
    host.pace.set_interval(std::chrono::microseconds(host.rule.interval_us));
  }
  std::size_t max_connections(const Host& host) const {
    return host.rule.connections > 0 ? host.rule.connections
                                     : static_cast<std::size_t>(limits_.connections);
  }
  bool may_start_but_for_pace(const Host& host) const {
    return !host.waiting.empty() && host.pause_end == kNoPause && !host.rule.paused &&
           host.active < max_connections(host) && host.active - host.slow < host.allowance.value();
  }
  bool may_start(const Host& host) const {
    return may_start_but_for_pace(host) && host.pace.is_open(now_);
  }
  void make_ready(const std::string& name, Host& host) {
    if (host.is_ready || !may_start_but_for_pace(host)) return;
    if (!host.pace.is_open(now_)) {
      if (!std::exchange(host.waits_for_pace, true)) pace_ends_.emplace(host.pace.next(), name);
      return;
    }
    host.is_ready = true;
    ready_.push_back(name);
  }
  void remember_if_idle(const std::string& name, Host& host) {
    if (host.active > 0 || !host.waiting.empty() || host.is_idle) return;
    host.is_idle = true;
    host.idle_place = idle_.insert(idle_.end(), name);
    if (idle_.size() <= kRememberedHosts) return;
    hosts_.erase(idle_.front());
    idle_.pop_front();
  }

  HostLimits limits_;
  RuleOf rule_of_;
  TimePoint now_{};
  std::size_t total_limit_;
  std::size_t active_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t newest_ = 0;
  std::unordered_map<std::string, Host> hosts_;
  std::deque<std::string> ready_;                     // hosts that may start an item, in turn
  std::multimap<TimePoint, std::string> pause_ends_;  // a prolonged pause has several
  std::multimap<TimePoint, std::string> pace_ends_;
  std::list<std::string> idle_;  // the longest idle first
};

}  // namespace imgpress::press
