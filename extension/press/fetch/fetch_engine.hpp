// Any number of transfers in one thread: libcurl's multi interface, driven by an epoll set.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/net/address.hpp"
#include "core/wire/wire.hpp"
#include "press/fetch/admission_queue.hpp"
#include "press/fetch/transfer.hpp"

namespace imgpress::press {

class FetchEngine {
 public:
  // Registers its sockets at `epoll_fd` with the descriptor as user data; the caller waits there
  // and reports to on_socket(). Needs SIGPIPE ignored.
  explicit FetchEngine(int epoll_fd);
  FetchEngine(const FetchEngine&) = delete;
  FetchEngine& operator=(const FetchEngine&) = delete;
  ~FetchEngine();

  // For every connection and request from now on, also of running transfers. Throws
  // std::invalid_argument on a malformed list of networks.
  void apply(const wire::FetcherSettings& settings);

  void submit(wire::FetchRequest request);
  void on_socket(int fd, std::uint32_t epoll_events);
  // What is due: time-outs, transfers that may start now. Call before each wait.
  void run_due();

  // How long to wait at most before the next run_due(); -1 without limit.
  int wait_ms() const;

  // Transfers that ended, in that order; empties the list.
  std::deque<FetchResult> take_finished();

 private:
  using Clock = std::chrono::steady_clock;

  static int on_watch(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void excuse_slow();
  void start_waiting();
  void start(std::unique_ptr<Transfer> transfer);
  void collect();
  void settle(const Transfer& transfer, CURLcode code, CURL* easy);
  CURL* take_handle();

  int epoll_fd_;
  CURLM* multi_;
  AddressPolicy policy_;
  std::string user_agent_;
  AdmissionQueue<std::unique_ptr<Transfer>> queue_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running_;
  std::vector<CURL*> idle_handles_;
  std::deque<FetchResult> finished_;
  Clock::time_point next_excuse_{};
  std::optional<Clock::time_point> due_;
};

}  // namespace imgpress::press
