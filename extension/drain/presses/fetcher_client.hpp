// A fetcher process and its transfers. It answers in the order in which they end.
#pragma once

#include <optional>
#include <unordered_map>

#include "drain/presses/press_client.hpp"

namespace imgpress {

// How a transfer ended.
struct FetchOutcome {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  bool postponed = false;  // not begun, because the host has asked for a pause
  std::string reason;      // why it failed
  UniqueFd body;           // sealed memfd: of a download that succeeded
  std::uint64_t body_bytes = 0;
};

class FetcherClient {
 public:
  void start(const PressSettings& settings, TimePoint now);
  void stop() { press_.stop(); }
  // The new settings apply to transfers that are requested from now on.
  void reconfigure(const PressSettings& settings);
  bool running() const { return press_.running(); }
  bool ready() const { return press_.ready(); }
  int fd() { return press_.fd(); }

  // Request a download, or the delivery of a webhook. Throw WireError when the request is too large
  // for a message.
  PacketSocket::Sent download(std::uint64_t id, const std::string& url, TimePoint now);
  PacketSocket::Sent deliver(std::uint64_t id, const DeliveryTask& delivery, TimePoint now);

  // The next transfer that has ended; no value when none has. Throws PressEnded when the fetcher
  // has ended, has not answered by deadline(), or gives an answer that was not requested or lacks
  // its body.
  std::optional<FetchOutcome> receive(TimePoint now);

  std::size_t in_flight() const { return in_flight_.size(); }
  TimePoint deadline() const;

 private:
  PacketSocket::Sent send(wire::FetchRequest request, TimePoint now);
  wire::FetcherSettings fetcher_settings() const;
  PacketSocket::Sent send_settings();
  FetchOutcome outcome_of(const wire::FetchReply& reply, UniqueFd body);

  PressClient press_;
  PressSettings settings_;
  std::string encoded_settings_;  // sent when they change
  bool settings_are_sent_ = false;
  std::unordered_map<std::uint64_t, wire::Method> in_flight_;  // by id
  TimePoint answer_by_{};
};

}  // namespace imgpress
