#include "drain/presses/codec_client.hpp"

#include <algorithm>
#include <utility>

#include "channel/sealed_memory.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

using std::chrono::seconds;

// The kernel limits the CPU time of an image. This longer limit is for a codec that does not run.
seconds patience_of(const PressSettings& settings) {
  return seconds(10 + 4 * std::int64_t{settings.codec_cpu_seconds});
}

}  // namespace

void CodecClient::start(const PressSettings& settings, TimePoint now) {
  arguments_ = press_arguments(PressRole::kCodec, settings);
  press_.start(PressRole::kCodec, settings, now);
  take_held();
}

PacketSocket::Sent CodecClient::send(FetchedImage& image, const PressSettings& settings,
                                     TimePoint now) {
  wire::CompressRequest request;
  request.id = image.task.key;
  request.options = image.task.options;
  request.max_pixels = static_cast<std::uint64_t>(settings.max_pixels);
  request.may_be_large = image.is_large;
  request.cpu_seconds = static_cast<std::uint32_t>(settings.codec_cpu_seconds);
  const auto sent = press_.send(request, image.source.get());
  if (sent != PacketSocket::Sent::kYes) return sent;
  patience_ = patience_of(settings);
  if (held_.empty()) answer_by_ = now + patience_;
  held_bytes_ += image.source_bytes;
  held_.push_back(std::move(image));
  return sent;
}

std::optional<ImageOutcome> CodecClient::receive(TimePoint now) {
  Packet packet;
  while (press_.receive(packet)) {
    const auto* reply = std::get_if<wire::CompressReply>(&packet.message);
    if (reply == nullptr) press_.end(PressEnd::kBrokeProtocol, "a message that no codec sends");
    answer_by_ = now + patience_;
    try {
      if (held_.empty() || held_.front().task.key != reply->id) {
        throw wire::WireError("an answer out of turn");
      }
      if (!reply->is_large) return outcome_of(*reply, std::move(packet.attachment));
      set_large_aside();
    } catch (
        const std::runtime_error& error) {  // memory that is not sealed, or an impossible answer
      press_.end(PressEnd::kBrokeProtocol, error.what());
    }
  }
  if (answer_due() <= now) press_.end(PressEnd::kHung);
  if (is_busy()) press_.look(now);
  return std::nullopt;
}

void CodecClient::set_large_aside() {
  if (held_.front().is_large) throw wire::WireError("an image that may be large is too large");
  large_.push_back(std::move(held_.front()));
  large_.back().is_large = true;
  held_bytes_ -= large_.back().source_bytes;
  held_.pop_front();
}

bool CodecClient::is_outdated(const PressSettings& settings) const {
  return arguments_ != press_arguments(PressRole::kCodec, settings);
}

ImageOutcome CodecClient::outcome_of(const wire::CompressReply& reply, UniqueFd output) {
  FetchedImage& source = held_.front();
  ImageOutcome outcome;
  outcome.key = reply.id;
  outcome.fault = reply.fault;
  outcome.http_status = source.http_status;
  outcome.source_bytes = source.source_bytes;
  if (reply.fault == Fault::kNone) {
    outcome.output_bytes = sealed_size(output.get());
    if (outcome.output_bytes == 0 || outcome.output_bytes > source.source_bytes) {
      throw wire::WireError("an output of an impossible size");
    }
    outcome.output = HeldMemory(std::move(output), outcome.output_bytes, source.source.ledger());
    outcome.warning = plain_text(reply.warning);
    outcome.digest = plain_text(reply.digest);
    outcome.source = std::move(source.version);
  } else {
    outcome.ending = Ending::kFailed;
    outcome.reason = plain_text(reply.reason);
  }
  outcome.format = reply.format;
  outcome.width = reply.width;
  outcome.height = reply.height;
  outcome.kept_source = reply.kept_source;
  const std::chrono::microseconds took(reply.work_us);
  work_time_ = work_time_ == Clock::duration::zero() ? took : (7 * work_time_ + took) / 8;
  held_bytes_ -= source.source_bytes;
  held_.pop_front();
  return outcome;
}

std::deque<FetchedImage> CodecClient::take_held() {
  held_bytes_ = 0;
  return std::exchange(held_, {});
}

// When it counts as hung.
TimePoint CodecClient::answer_due() const {
  return held_.empty() ? press_.ready_by() : std::min(press_.ready_by(), answer_by_);
}

TimePoint CodecClient::deadline() const {
  return is_busy() ? std::min(answer_due(), press_.next_look()) : TimePoint::max();
}

}  // namespace imgpress
