#include "drain/presses/fetcher_client.hpp"

#include <algorithm>
#include <utility>

#include "channel/sealed_memory.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

// The fetcher itself ends each transfer that takes too long. If it has work and still sends no
// answer for the longest time-out and this, it counts as hung. More than it may hold a transfer
// back because its host asked for a pause (5 s).
constexpr std::chrono::seconds kGrace{10};

constexpr std::uint64_t kMaxWebhookAnswerBytes = 64 << 10;
constexpr const char* kUserAgent = "imgpress";

TimePoint answer_due(const PressSettings& settings, TimePoint now) {
  const auto longest = std::max(settings.fetch_timeout_ms, settings.webhook_timeout_ms);
  return now + std::chrono::milliseconds(longest) + kGrace;
}

}  // namespace

void FetcherClient::start(const PressSettings& settings, TimePoint now) {
  press_.start(settings.press_path, PressProcess::Role::kFetcher, now);
  in_flight_.clear();
  settings_are_sent_ = false;
  reconfigure(settings);
}

void FetcherClient::reconfigure(const PressSettings& settings) {
  settings_ = settings;
  std::string encoded = wire::encode(fetcher_settings());
  settings_are_sent_ = settings_are_sent_ && encoded == encoded_settings_;
  encoded_settings_ = std::move(encoded);
  if (running()) send_settings();  // if the socket is full, they are sent before the next transfer
}

wire::FetcherSettings FetcherClient::fetcher_settings() const {
  return {settings_.allowed_networks, settings_.host_limits, kUserAgent};
}

PacketSocket::Sent FetcherClient::send_settings() {
  if (settings_are_sent_) return PacketSocket::Sent::kYes;
  const auto sent = press_.send(fetcher_settings());
  settings_are_sent_ = sent == PacketSocket::Sent::kYes;
  return sent;
}

PacketSocket::Sent FetcherClient::download(std::uint64_t id, const std::string& url,
                                           TimePoint now) {
  wire::FetchRequest request;
  request.id = id;
  request.url = url;
  request.max_bytes = static_cast<std::uint64_t>(settings_.max_image_bytes);
  request.timeout_ms = static_cast<std::uint32_t>(settings_.fetch_timeout_ms);
  return send(std::move(request), now);
}

PacketSocket::Sent FetcherClient::deliver(std::uint64_t id, const DeliveryTask& delivery,
                                          TimePoint now) {
  wire::FetchRequest request;
  request.id = id;
  request.method = wire::Method::kPost;
  request.url = delivery.url;
  request.headers = delivery.headers;
  request.body = delivery.body;
  request.max_bytes = kMaxWebhookAnswerBytes;
  request.timeout_ms = static_cast<std::uint32_t>(settings_.webhook_timeout_ms);
  return send(std::move(request), now);
}

PacketSocket::Sent FetcherClient::send(wire::FetchRequest request, TimePoint now) {
  auto sent = send_settings();
  if (sent != PacketSocket::Sent::kYes) return sent;
  request.connect_timeout_ms = static_cast<std::uint32_t>(settings_.connect_timeout_ms);
  sent = press_.send(request);
  if (sent != PacketSocket::Sent::kYes) return sent;
  if (in_flight_.empty()) answer_by_ = answer_due(settings_, now);
  in_flight_.emplace(request.id, request.method);
  return sent;
}

std::optional<FetchOutcome> FetcherClient::receive(TimePoint now) {
  Packet packet;
  if (!press_.receive(packet)) {
    if (deadline() <= now) press_.end(PressEnd::kHung);
    return std::nullopt;
  }
  const auto* reply = std::get_if<wire::FetchReply>(&packet.message);
  if (reply == nullptr) press_.end(PressEnd::kBrokeProtocol, "a message that no fetcher sends");
  answer_by_ = answer_due(settings_, now);
  try {
    return outcome_of(*reply, std::move(packet.attachment));
  } catch (const std::runtime_error& error) {  // memory that is not sealed, or an impossible answer
    press_.end(PressEnd::kBrokeProtocol, error.what());
  }
}

FetchOutcome FetcherClient::outcome_of(const wire::FetchReply& reply, UniqueFd body) {
  const auto found = in_flight_.find(reply.id);
  if (found == in_flight_.end()) throw wire::WireError("an answer to no request");
  FetchOutcome outcome;
  outcome.id = reply.id;
  outcome.fault = reply.fault;
  outcome.http_status = static_cast<int>(reply.http_status);
  outcome.retry_after_seconds = reply.retry_after_seconds;
  outcome.postponed = reply.postponed;
  if (reply.fault != Fault::kNone) {
    outcome.reason = plain_text(reply.message);
  } else if (found->second == wire::Method::kGet) {
    outcome.body_bytes = sealed_size(body.get());
    outcome.body = std::move(body);
  }
  in_flight_.erase(found);
  return outcome;
}

TimePoint FetcherClient::deadline() const {
  return in_flight_.empty() ? press_.ready_by() : std::min(press_.ready_by(), answer_by_);
}

}  // namespace imgpress
