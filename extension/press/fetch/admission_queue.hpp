// Who may start next: at most so many at once for each host and in all; hosts take turns.
//
// libcurl could hold transfers back itself, but their time-out would run while they wait.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "press/fetch/host_allowance.hpp"

namespace imgpress::press {

template <typename T>
class AdmissionQueue {
 public:
  // What was learnt about a host outlasts its work, for so many hosts.
  static constexpr std::size_t kRememberedHosts = 1000;

  explicit AdmissionQueue(std::size_t total_limit) : total_limit_(total_limit) {}

  // 0 means no limit but what the host can take. Takes effect on what starts from now on.
  void set_host_limit(std::size_t limit) {
    host_limit_ = limit == 0 ? std::numeric_limits<std::size_t>::max() : limit;
    for (auto& [name, host] : hosts_) make_ready(name, host);
  }

  void push(const std::string& host_name, T item) {
    Host& host = hosts_[host_name];
    if (host.is_idle) {
      idle_.erase(host.idle_place);
      host.is_idle = false;
    }
    host.waiting.push_back(std::move(item));
    ++waiting_;
    make_ready(host_name, host);
  }

  // Moves the next item that may start into `item`; false when none may. Each one started has to
  // be given back by finished().
  bool start_next(T& item) {
    while (active_ < total_limit_ && !ready_.empty()) {
      const std::string name = std::move(ready_.front());
      ready_.pop_front();
      Host& host = hosts_.at(name);
      host.is_ready = false;
      if (!may_start(host)) continue;  // the limit was lowered
      item = std::move(host.waiting.front());
      host.waiting.pop_front();
      --waiting_;
      ++host.active;
      ++active_;
      ++newest_;
      make_ready(name, host);
      return true;
    }
    return false;
  }

  // The serial number of the item started last; the first one has 1.
  std::uint64_t newest() const { return newest_; }

  void finished(const std::string& host_name, std::uint64_t serial, const Outcome& outcome) {
    const auto found = hosts_.find(host_name);
    Host& host = found->second;
    // What does not use its allowance up says nothing about a greater one.
    const std::size_t ceiling =
        host.waiting.empty() ? host.allowance.value() : std::min(host_limit_, total_limit_);
    host.allowance.note(outcome, serial, newest_, ceiling);
    --host.active;
    if (outcome.excused) --host.excused;
    --active_;
    make_ready(host_name, host);
    if (host.active == 0 && host.waiting.empty()) remember(found->first, host);
  }

  // A started item was let in and is waiting for its answer for long: its host is slow, but not
  // crowded by it. From now on it counts against the fixed limit only, so that some transfers that
  // hang do not keep the rest of their host's from starting.
  void excuse(const std::string& host_name) {
    Host& host = hosts_.at(host_name);
    ++host.excused;
    make_ready(host_name, host);
  }

  bool has_waiting() const { return waiting_ > 0; }

  // The started item `serial` is not let in while later ones have come and gone.
  void strained(const std::string& host_name, std::uint64_t serial) {
    hosts_.at(host_name).allowance.strained(serial, newest_);
  }

 private:
  struct Host {
    HostAllowance allowance;
    std::size_t active = 0;
    std::size_t excused = 0;  // of the active ones
    bool is_ready = false;    // its name is in ready_
    bool is_idle = false;     // its name is in idle_
    std::list<std::string>::iterator idle_place;
    std::deque<T> waiting;
  };

  bool may_start(const Host& host) const {
    return !host.waiting.empty() && host.active < host_limit_ &&
           host.active - host.excused < host.allowance.value();
  }
  void make_ready(const std::string& name, Host& host) {
    if (host.is_ready || !may_start(host)) return;
    host.is_ready = true;
    ready_.push_back(name);
  }
  void remember(const std::string& name, Host& host) {
    host.is_idle = true;
    host.idle_place = idle_.insert(idle_.end(), name);
    if (idle_.size() <= kRememberedHosts) return;
    hosts_.erase(idle_.front());
    idle_.pop_front();
  }

  std::size_t host_limit_ = std::numeric_limits<std::size_t>::max();
  std::size_t total_limit_;
  std::size_t active_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t newest_ = 0;
  std::unordered_map<std::string, Host> hosts_;
  std::deque<std::string> ready_;
  std::list<std::string> idle_;  // the longest idle first
};

}  // namespace imgpress::press
