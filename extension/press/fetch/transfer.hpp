// One download (GET) or one webhook delivery (POST), from request to reply.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "channel/sealed_memory.hpp"
#include "core/wire/messages.hpp"
#include "press/fetch/address_guard.hpp"
#include "press/fetch/hosts/host_allowance.hpp"
#include "press/fetch/memory_budget.hpp"
#include "press/source_digest.hpp"

namespace imgpress::press {

struct FinishedTransfer {
  wire::FetchReply reply;
  UniqueFd body;  // sealed; of a GET that succeeded
};

// The URL as it is sent to the server: blanks and non-ASCII characters percent-encoded, an
// international host name in its ASCII form. Throws FaultError when it is not acceptable.
std::string normalised_url(const std::string& text);

FinishedTransfer failed_transfer(std::uint64_t id, const FaultError& error);

class Transfer {
 public:
  using Clock = std::chrono::steady_clock;

  // Throws FaultError when the URL is not acceptable. `policy` and `memory` must outlive the
  // transfer.
  Transfer(wire::FetchRequest request, const AddressPolicy& policy, MemoryBudget& memory);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Its queue: the host in lower case, with any port of the URL. Webhooks have queues of their own,
  // so that a host's pause, which is for downloads, does not hold them up.
  const std::string& queue() const { return queue_; }
  // Whether the URL as it was requested has the host in the form of the queue's name.
  bool names_host_plainly() const;
  std::uint64_t id() const { return request_.id; }
  bool is_download() const { return request_.method == wire::Method::kGet; }

  // Sets all options on a fresh or reset handle. The transfer must stay where it is until finish().
  void prepare(CURL* easy, const wire::FetcherSettings& settings, std::uint64_t serial);

  CURL* easy() const { return easy_; }
  // Transfers are numbered in the order of their starts.
  std::uint64_t serial() const { return serial_; }
  Clock::time_point started_at() const { return started_at_; }

  // Its time runs from here on, but not while it waits for memory; libcurl's own time-out would
  // count that, too.
  void start_clock(Clock::time_point now);
  Clock::time_point deadline() const { return deadline_; }

  // A download may have to wait for memory.
  enum class Wait {
    kNone,
    kBeforeRequest,  // it has no connection: it is requested, perhaps once more, when it may store
    kPaused,         // it keeps its connection and what it has got so far
  };
  Wait wait() const { return wait_; }
  // Reserves memory for an image of `expected` bytes, before the request. False if it has to wait.
  bool reserve(std::uint64_t expected);
  // The wait is over: the budget has granted this.
  void end_wait(std::uint64_t bytes);
  // While others wait for memory: lends them what it will not need soon. To be called after each
  // kLendInterval.
  static constexpr std::chrono::seconds kLendInterval{1};
  void lend_unused(Clock::time_point now);

  // See HostQueues::count_as_slow().
  bool counts_as_slow() const { return counts_as_slow_; }
  void count_as_slow() { counts_as_slow_ = true; }

  // True when it opened a new connection to its first host.
  bool opened_connection() const { return guard_.opened(); }

  // True while its new connection to its first host gets no acknowledgement from there.
  bool is_unacknowledged();

  // Counts a later transfer that was answered while this one is unacknowledged. True once that can
  // no longer be chance: the host has dropped what this one sent.
  bool note_overtaken() { return ++overtaken_ >= kOvertakenWhenDropped; }

  // True when the answer is of no use, but another one may be: `easy` is prepared to ask once more,
  // without decoding if the body could not be decoded as its Content-Encoding says, without
  // validators if another URL has answered that they hold, and without the secrets of its origin
  // where a redirect leads.
  bool asks_again(CURL* easy, CURLcode code);

  // REQUIRES: libcurl is done with `easy`, which prepare() was given.
  FinishedTransfer finish(CURL* easy, CURLcode code);
  std::uint64_t stored_bytes() const { return stored_bytes_; }  // of a body that is complete
  HostReaction host_reaction(CURL* easy, CURLcode code) const;

  // The reply instead of a transfer that may not begin for so long.
  FinishedTransfer postpone(Clock::duration delay, const std::string& why) const;

 private:
  struct FreeHeaders {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  static constexpr unsigned kOvertakenWhenDropped = 3;

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  std::size_t take_body(CURL* easy, ByteView bytes);
  std::uint64_t first_need(CURL* easy);
  bool open_body(CURL* easy);
  bool make_room(std::uint64_t bytes);
  void begin_wait(Wait wait);
  bool is_decoded(CURL* easy) const;
  void prepare_get(CURL* easy, const std::vector<std::string>& headers);
  void prepare_post(CURL* easy);
  void set_headers(CURL* easy);
  bool is_conditional() const;
  bool retry_undecoded(CURL* easy, CURLcode code);
  bool retry_unconditionally(CURL* easy, CURLcode code);
  bool follow_without_secrets(CURL* easy, CURLcode code);
  FinishedTransfer succeed(CURL* easy);
  std::optional<FaultError> fault_of(CURL* easy, CURLcode code, long status) const;

  wire::FetchRequest request_;
  std::string url_;
  std::string host_;
  std::string queue_;
  AddressGuard guard_;
  CURL* easy_ = nullptr;
  std::uint64_t serial_ = 0;
  Clock::time_point started_at_{};
  Clock::time_point deadline_{};
  Clock::time_point runs_since_{};
  Clock::duration time_left_;
  bool decodes_ = true;
  bool sends_secrets_ = false;
  bool left_origin_ = false;  // it was redirected when it had sent secrets
  bool counts_as_slow_ = false;
  unsigned overtaken_ = 0;
  bool was_acknowledged_ = false;
  std::vector<std::string> further_headers_;  // of each download, by a setting
  std::unique_ptr<curl_slist, FreeHeaders> headers_;
  std::optional<MemoryWriter> body_;
  SourceDigest digest_;
  MemoryBudget& memory_;
  std::uint64_t most_bytes_;         // that the body may have
  std::uint64_t reserved_ = 0;       // of memory, for the body
  std::uint64_t bytes_earlier_ = 0;  // of the body, at the last lend_unused()
  Wait wait_ = Wait::kNone;
  std::uint64_t stored_bytes_ = 0;
  bool was_broken_off_ = false;
  bool must_not_pause_ = false;  // the body is decoded
  std::uint64_t discarded_bytes_ = 0;
  std::optional<FaultError> body_fault_;  // why the body was refused
  std::array<char, CURL_ERROR_SIZE> curl_text_{};
};

}  // namespace imgpress::press
