// A fetcher process and the transfers that it has been asked for. It answers in any order.
#pragma once

#include <optional>
#include <unordered_map>

#include "drain/presses/press_client.hpp"

namespace imgpress {

// What became of one transfer.
struct FetchResult {
  std::uint64_t id = 0;
  Fault fault = Fault::kNone;
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  std::string reason;  // why it failed
  UniqueFd body;       // sealed memfd: of a download that succeeded
  std::uint64_t body_bytes = 0;
};

class FetcherClient {
 public:
  void start(const PressSettings& settings, TimePoint now);
  void stop() { press_.stop(); }
  // New settings hold for transfers that are asked for from now on.
  void reconfigure(const PressSettings& settings);
  bool running() const { return press_.running(); }
  bool ready() const { return press_.ready(); }
  int fd() { return press_.fd(); }

  // Ask for a download, or for the delivery of a webhook. Throw WireError where that does not fit
  // into a message.
  PacketSocket::Sent download(std::uint64_t id, const std::string& url, TimePoint now);
  PacketSocket::Sent deliver(std::uint64_t id, const DeliveryTask& delivery, TimePoint now);

  // The next transfer that has ended; nothing when none has. Throws PressEnded also for an answer
  // that nobody asked for or that lacks its body, and when nothing came until deadline().
  std::optional<FetchResult> receive(TimePoint now);

  std::size_t in_flight() const { return in_flight_.size(); }
  TimePoint deadline() const;

 private:
  enum class Kind { kDownload, kDelivery };

  PacketSocket::Sent send(const wire::FetchRequest& request, Kind kind, TimePoint now);
  PacketSocket::Sent send_settings();
  FetchResult result_of(const wire::FetchReply& reply, UniqueFd body);

  PressClient press_;
  PressSettings settings_;
  bool settings_are_sent_ = false;
  std::unordered_map<std::uint64_t, Kind> in_flight_;
  TimePoint answer_by_{};
};

}  // namespace imgpress
