// Who may start next: at most so many at once for each host and in all; hosts take turns.
//
// libcurl could hold transfers back itself, but their time-out would run while they wait.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace imgpress::press {

template <typename T>
class AdmissionQueue {
 public:
  explicit AdmissionQueue(std::size_t total_limit) : total_limit_(total_limit) {}

  // 0 means no limit. Takes effect on what starts from now on.
  void set_host_limit(std::size_t limit) {
    host_limit_ = limit;
    for (auto& [name, host] : hosts_) make_ready(name, host);
  }

  void push(const std::string& host_name, T item) {
    Host& host = hosts_[host_name];
    host.waiting.push_back(std::move(item));
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
      ++host.active;
      ++active_;
      make_ready(name, host);
      return true;
    }
    return false;
  }

  void finished(const std::string& host_name) {
    const auto found = hosts_.find(host_name);
    Host& host = found->second;
    --host.active;
    --active_;
    make_ready(host_name, host);
    if (host.active == 0 && host.waiting.empty()) hosts_.erase(found);
  }

 private:
  struct Host {
    std::size_t active = 0;
    bool is_ready = false;  // its name is in ready_
    std::deque<T> waiting;
  };

  bool may_start(const Host& host) const {
    return !host.waiting.empty() && (host_limit_ == 0 || host.active < host_limit_);
  }
  void make_ready(const std::string& name, Host& host) {
    if (host.is_ready || !may_start(host)) return;
    host.is_ready = true;
    ready_.push_back(name);
  }

  std::size_t host_limit_ = 0;
  std::size_t total_limit_;
  std::size_t active_ = 0;
  std::unordered_map<std::string, Host> hosts_;
  std::deque<std::string> ready_;
};

}  // namespace imgpress::press
