#include "drain/codec_stage.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "channel/sealed_memory.hpp"
#include "core/plain_text.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kImagesInAdvance = 4;
constexpr std::chrono::milliseconds kSendPause{5};

ImageOutcome outcome_of(const FetchedImage& image, Fault fault, std::string message) {
  ImageOutcome outcome;
  outcome.key = image.task.key;
  outcome.fault = fault;
  outcome.message = std::move(message);
  outcome.source_bytes = image.source_bytes;
  return outcome;
}

}  // namespace

CodecStage::CodecStage(const PipelineSettings& settings, int poll_fd)
    : settings_(settings), poll_fd_(poll_fd) {
  for (std::size_t i = 0; i < settings.codecs; ++i) start(codecs_.emplace_back());
}

void CodecStage::start(Codec& codec) {
  codec.press = PressProcess::start(settings_.press_path, PressProcess::Role::kCodec);
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(poll_fd_, EPOLL_CTL_ADD, codec.press.socket().fd(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

void CodecStage::reconfigure(const PipelineSettings& settings) {
  settings_ = settings;
  while (codecs_.size() > settings.codecs) {
    for (FetchedImage& image : codecs_.back().held) put_back(std::move(image));
    codecs_.pop_back();
  }
  while (codecs_.size() < settings.codecs) start(codecs_.emplace_back());
}

void CodecStage::add(FetchedImage image) {
  waiting_bytes_ += image.source_bytes;
  waiting_.push_back(std::move(image));
}

void CodecStage::put_back(FetchedImage image) {
  waiting_bytes_ += image.source_bytes;
  waiting_.push_front(std::move(image));
}

void CodecStage::turn(TimePoint now, std::vector<ImageOutcome>& outcomes) {
  for (Codec& codec : codecs_) {
    const bool alive = receive_all(codec, now, outcomes);
    const bool hung = !codec.held.empty() && codec.deadline <= now;
    if (!alive || hung) replace(codec, outcomes);
  }
  send_waiting(now);
}

// Returns false when the codec has ended or broke the protocol.
bool CodecStage::receive_all(Codec& codec, TimePoint now, std::vector<ImageOutcome>& outcomes) {
  try {
    for (;;) {
      Packet packet;
      const auto received = codec.press.socket().receive(packet);
      if (received == PacketSocket::Received::kWouldBlock) return true;
      if (received == PacketSocket::Received::kPeerGone) return false;
      auto* reply = std::get_if<wire::CompressReply>(&packet.message);
      if (reply == nullptr) return false;
      take_reply(codec, std::move(*reply), std::move(packet.attachment), outcomes);
      codec.deadline = now + patience();
    }
  } catch (const std::runtime_error&) {  // WireError, unsealed memory, an answer out of turn
    return false;
  }
}

void CodecStage::take_reply(Codec& codec, wire::CompressReply reply, UniqueFd output,
                            std::vector<ImageOutcome>& outcomes) {
  if (codec.held.empty() || codec.held.front().task.key != reply.id) {
    throw wire::WireError("answer out of turn");
  }
  const FetchedImage& source = codec.held.front();
  ImageOutcome outcome = outcome_of(source, reply.fault, plain_text(reply.message));
  if (reply.fault == Fault::kNone) {
    outcome.output_bytes = sealed_size(output.get());
    if (outcome.output_bytes == 0 || outcome.output_bytes > source.source_bytes) {
      throw wire::WireError("output of an impossible size");
    }
    outcome.output = std::move(output);
  }
  outcome.image = std::move(reply);
  outcomes.push_back(std::move(outcome));
  codec.held.pop_front();
  codec.deaths_in_a_row = 0;
}

// The image that the codec worked on pays for it; the ones behind it go to another.
void CodecStage::replace(Codec& codec, std::vector<ImageOutcome>& outcomes) {
  const bool out_of_cpu = codec.press.stop();
  if (!codec.held.empty()) {
    ImageOutcome outcome =
        out_of_cpu ? outcome_of(codec.held.front(), Fault::kOutOfResources,
                                "the image needs more CPU time than imgpress.codec_timeout")
                   : outcome_of(codec.held.front(), Fault::kPressDied,
                                "the codec process ended while it held this image");
    outcome.codec_died = !out_of_cpu;
    outcomes.push_back(std::move(outcome));
    codec.held.pop_front();
  }
  while (!codec.held.empty()) {
    put_back(std::move(codec.held.back()));
    codec.held.pop_back();
  }
  if (++codec.deaths_in_a_row >= kMaxDeathsInARow) {
    throw std::runtime_error("\"" + settings_.press_path +
                             "\" keeps ending before it has done anything");
  }
  start(codec);
}

// The codec with the fewest images gets the next one.
void CodecStage::send_waiting(TimePoint now) {
  send_again_ = TimePoint::max();
  while (!waiting_.empty()) {
    const auto idlest = std::min_element(
        codecs_.begin(), codecs_.end(),
        [](const Codec& a, const Codec& b) { return a.held.size() < b.held.size(); });
    if (idlest->held.size() >= kImagesInAdvance) return;
    if (!send(*idlest, now)) {
      send_again_ = now + kSendPause;
      return;
    }
  }
}

bool CodecStage::send(Codec& codec, TimePoint now) {
  FetchedImage& image = waiting_.front();
  wire::CompressRequest request;
  request.id = image.task.key;
  request.quality = static_cast<std::uint32_t>(image.task.quality);
  request.max_pixels = settings_.max_pixels;
  request.cpu_seconds = settings_.codec_cpu_seconds;
  request.effort = image.task.effort;
  request.accept_truncated = settings_.accept_truncated;
  if (codec.press.socket().send(request, image.source.get()) != PacketSocket::Sent::kYes) {
    return false;  // gone, or too many descriptors under way: a later turn knows
  }
  if (codec.held.empty()) codec.deadline = now + patience();
  waiting_bytes_ -= image.source_bytes;
  codec.held.push_back(std::move(image));
  waiting_.pop_front();
  return true;
}

// CPU time is limited by the kernel; this is for a codec that does not run at all.
std::chrono::seconds CodecStage::patience() const {
  return std::chrono::seconds(10 + 4 * settings_.codec_cpu_seconds);
}

TimePoint CodecStage::deadline() const {
  // A full codec will answer; one that could not be sent to must be tried again.
  TimePoint earliest = send_again_;
  for (const Codec& codec : codecs_) {
    if (!codec.held.empty()) earliest = std::min(earliest, codec.deadline);
  }
  return earliest;
}

std::size_t CodecStage::compressing() const {
  std::size_t sum = 0;
  for (const Codec& codec : codecs_) sum += codec.held.size();
  return sum;
}

}  // namespace imgpress
