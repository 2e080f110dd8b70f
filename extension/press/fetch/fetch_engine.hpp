// Runs any number of transfers in one thread: libcurl's multi interface, driven by an epoll set.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/net/address.hpp"
#include "core/wire/messages.hpp"
#include "press/fetch/hosts/host_queues.hpp"
#include "press/fetch/memory_budget.hpp"
#include "press/fetch/transfer.hpp"

namespace imgpress::press {

class FetchEngine {
 public:
  // Registers its sockets at `epoll_fd`, with the descriptor as user data. The caller waits there
  // and reports events to on_socket(). REQUIRES: SIGPIPE is ignored, libcurl is initialised.
  explicit FetchEngine(int epoll_fd);
  FetchEngine(const FetchEngine&) = delete;
  FetchEngine& operator=(const FetchEngine&) = delete;
  ~FetchEngine();

  // Applies to every connection and request from now on, those of running transfers included.
  // Throws std::invalid_argument when the list of networks is malformed.
  void apply(wire::FetcherSettings settings);

  void apply(wire::HostRules rules);

  void submit(wire::FetchRequest request);
  void on_socket(int fd, std::uint32_t epoll_events);
  // Handles time-outs, and starts the transfers that may start now. To be called before each wait.
  void run_due();

  // How long to wait at most before the next run_due(); -1: without limit.
  int wait_ms() const;

  // The transfers that have ended since the last call, in that order.
  std::deque<FinishedTransfer> take_finished();

  void apply(const wire::MemoryGrant& grant) { memory_.apply(grant); }
  // The use of memory, when the owner should hear of it.
  std::optional<wire::MemoryUse> take_memory_report();
  // What is known of hosts, likewise.
  std::optional<wire::HostStates> take_host_report();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::time_point kNever = Clock::time_point::max();

  using Transfers = std::unordered_map<std::uint64_t, std::unique_ptr<Transfer>>;

  static int on_watch(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void find_slow();
  HostRule rule_for(const std::string& queue) const;
  void limit_connections();
  void send_back(const std::string& queue, std::size_t keep);
  void postpone_waiting(const std::string& queue);
  void start_waiting();
  void start(std::unique_ptr<Transfer> transfer);
  void collect();
  void end_overdue();
  void end(Transfers::iterator found, CURLcode code);
  void run(Transfer& transfer);
  void lend_memory();
  void grant_memory();
  void settle(const Transfer& transfer, CURLcode code, CURL* easy);
  CURL* take_handle();

  int epoll_fd_;
  CURLM* multi_;
  AddressPolicy policy_;
  wire::FetcherSettings settings_;
  std::unordered_map<std::string, HostRule> rules_;  // by the name in the rule
  HostQueues<std::unique_ptr<Transfer>> queue_;
  MemoryBudget memory_;
  std::uint64_t expected_bytes_;  // of the next image: a moving average
  Transfers running_;             // by serial number
  std::set<std::pair<Clock::time_point, std::uint64_t>> deadlines_;
  Clock::time_point next_lending_{};
  Clock::time_point next_report_ = kNever;
  wire::MemoryUse reported_;
  Clock::time_point next_host_report_ = kNever;
  std::vector<CURL*> idle_handles_;
  std::deque<FinishedTransfer> finished_;
  Clock::time_point next_slow_check_{};
  Clock::time_point due_ = kNever;  // libcurl's next time-out
};

}  // namespace imgpress::press
