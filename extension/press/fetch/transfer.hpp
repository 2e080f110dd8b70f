// One download (GET) or one webhook delivery (POST), from request to reply.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "channel/sealed_memory.hpp"
#include "core/wire/wire.hpp"
#include "press/fetch/guarded_socket.hpp"
#include "press/fetch/host_allowance.hpp"

namespace imgpress::press {

struct FetchResult {
  wire::FetchReply reply;
  UniqueFd body;  // sealed; of a GET that succeeded
};

// The reply to a request that fails before, or instead of, a transfer.
FetchResult failed_fetch(std::uint64_t id, const FaultError& error);

class Transfer {
 public:
  // Throws FaultError when the URL cannot be fetched whatever the network says. `policy` must
  // outlive the transfer.
  Transfer(wire::FetchRequest request, const AddressPolicy& policy);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  const std::string& host() const { return host_; }  // in lower case, with any port of the URL

  // Sets everything that this transfer needs on a fresh or reset handle. The transfer has to stay
  // where it is until finish().
  void prepare(CURL* easy, const std::string& user_agent, std::uint64_t serial);

  // Its place in the order of all that were started.
  std::uint64_t serial() const { return serial_; }

  std::chrono::steady_clock::time_point started_at() const { return started_at_; }

  // Whether its slow answer has been noted: see AdmissionQueue::excuse().
  bool is_excused() const { return is_excused_; }
  void excuse() { is_excused_ = true; }

  // True when it needed a new connection to its first host.
  bool opened_connection() const { return guard_.opened(); }

  // True while a new connection to its first host gets no acknowledgement from there.
  bool is_at_the_door();

  // Counts a later transfer that has come and gone while this one is at the door. True when that
  // cannot be chance any more: what it sent was dropped.
  bool is_left_behind() { return ++overtaken_ >= kOvertakenWhenDropped; }

  // True for a body that is not what its Content-Encoding says, or in an encoding that nobody
  // knows: it may still be the image as it is. Then prepares `easy` for taking it so, once.
  bool may_take_as_it_is(CURL* easy, CURLcode code);

  // REQUIRES: libcurl is done with `easy`, which prepare() got.
  FetchResult finish(CURL* easy, CURLcode code);
  Outcome outcome(CURL* easy, CURLcode code) const;

 private:
  struct FreeHeaders {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  static constexpr unsigned kOvertakenWhenDropped = 3;

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  bool take_body(CURL* easy, ByteView bytes);
  std::chrono::milliseconds time_left() const;
  void prepare_get(CURL* easy);
  void prepare_post(CURL* easy);
  FetchResult succeed();
  std::optional<FaultError> fault_of(CURL* easy, CURLcode code, long status) const;

  wire::FetchRequest request_;
  std::string url_;
  std::string host_;
  AddressGuard guard_;
  CURL* easy_ = nullptr;
  std::uint64_t serial_ = 0;
  std::chrono::steady_clock::time_point started_at_{};
  bool decodes_ = true;
  bool is_excused_ = false;
  unsigned overtaken_ = 0;
  bool was_let_in_ = false;
  std::unique_ptr<curl_slist, FreeHeaders> headers_;
  std::optional<MemoryWriter> body_;
  std::uint64_t discarded_bytes_ = 0;
  std::optional<FaultError> body_fault_;  // why taking the body was refused
  std::array<char, CURL_ERROR_SIZE> curl_text_{};
};

}  // namespace imgpress::press
