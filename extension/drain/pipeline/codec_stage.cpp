#include "drain/pipeline/codec_stage.hpp"

#include <algorithm>
#include <utility>

namespace imgpress {
namespace {

// Each codec is sent images in advance, so that it does not wait for the drainer between two
// images. They should last for the time that the drainer spends in a commit. Until a codec has
// reported how long an image takes, it holds kUntilMeasured images.
constexpr std::size_t kUntilMeasured = 4;
constexpr std::size_t kMostImages = 64;
constexpr std::uint64_t kMostBytesInAdvance = 8 << 20;

constexpr std::chrono::milliseconds kSendPause{5};

// The outcome of the image that the codec worked on when it ended.
ImageOutcome outcome_of_last_image(const FetchedImage& image, const PressEnded& ended) {
  ImageOutcome outcome;
  outcome.key = image.task.key;
  outcome.ending = ended.why() == PressEnd::kOutOfCpu ? Ending::kFailed : Ending::kKilledCodec;
  outcome.fault = ended.fault();
  outcome.http_status = image.http_status;
  outcome.reason = ended.what();
  return outcome;
}

}  // namespace

CodecStage::CodecStage(const PipelineSettings& settings, int poll_fd, TimePoint now)
    : settings_(settings), poll_fd_(poll_fd) {
  for (std::size_t i = 0; i < settings.codecs; ++i) start(codecs_.emplace_back(), now);
}

void CodecStage::start(CodecClient& codec, TimePoint now) {
  codec.start(settings_, now);
  watch(poll_fd_, codec.fd());
}

void CodecStage::reconfigure(const PipelineSettings& settings, TimePoint now) {
  settings_ = settings;
  while (codecs_.size() > settings.codecs) {
    put_back(codecs_.back().take_held());
    codecs_.pop_back();
  }
  for (CodecClient& codec : codecs_) {
    if (!codec.is_outdated(settings)) continue;
    put_back(codec.take_held());
    start(codec, now);
  }
  while (codecs_.size() < settings.codecs) start(codecs_.emplace_back(), now);
}

void CodecStage::add(FetchedImage image) {
  waiting_.push_back(std::move(image));
}

void CodecStage::put_back(std::deque<FetchedImage> images) {
  for (auto image = images.rbegin(); image != images.rend(); ++image) {
    (image->is_large ? large_ : waiting_).push_front(std::move(*image));
  }
}

void CodecStage::turn(TimePoint now, std::vector<ImageOutcome>& outcomes) {
  for (CodecClient& codec : codecs_) receive_all(codec, now, outcomes);
  send_waiting(now);
}

void CodecStage::receive_all(CodecClient& codec, TimePoint now,
                             std::vector<ImageOutcome>& outcomes) {
  try {
    while (auto outcome = codec.receive(now)) outcomes.push_back(std::move(*outcome));
  } catch (const PressEnded& ended) {
    replace(codec, ended, now, outcomes);
  }
  for (FetchedImage& image : codec.take_large()) large_.push_back(std::move(image));
}

// The end of a codec is attributed to the image that it worked on; the others go to another codec.
void CodecStage::replace(CodecClient& codec, const PressEnded& ended, TimePoint now,
                         std::vector<ImageOutcome>& outcomes) {
  std::deque<FetchedImage> held = codec.take_held();
  if (!held.empty()) {
    outcomes.push_back(outcome_of_last_image(held.front(), ended));
    held.pop_front();
  }
  put_back(std::move(held));
  start(codec, now);
}

bool CodecStage::has_room(const CodecClient& codec) const {
  if (!codec.ready() || codec.holds_large()) return false;
  const std::size_t images = codec.held().size();
  if (images == 0) return true;
  if (codec.held_bytes() - codec.held().front().source_bytes >= kMostBytesInAdvance) return false;
  const Clock::duration each = codec.work_time();
  if (each == Clock::duration::zero()) return images < kUntilMeasured;
  // The image that it works on, the next one, and those for the time of an absence.
  const auto enough = static_cast<std::size_t>(absence_ / each) + 2;
  return images < std::min(enough, kMostImages);
}

// The codec with the fewest bytes to process: small images must not wait behind a large one while
// another codec is idle.
CodecClient* CodecStage::next_codec() {
  CodecClient* next = nullptr;
  for (CodecClient& codec : codecs_) {
    if (!has_room(codec)) continue;
    if (next == nullptr || codec.held_bytes() < next->held_bytes()) next = &codec;
  }
  return next;
}

void CodecStage::send_waiting(TimePoint now) {
  send_again_ = TimePoint::max();
  const bool any_large = std::any_of(codecs_.begin(), codecs_.end(),
                                     [](const CodecClient& codec) { return codec.holds_large(); });
  // One large image at a time takes the memory of a large one.
  if (!large_.empty() && !any_large && !send_first(large_, now)) return;
  while (!waiting_.empty() && send_first(waiting_, now)) {
  }
}

bool CodecStage::send_first(std::deque<FetchedImage>& images, TimePoint now) {
  CodecClient* codec = next_codec();
  if (codec == nullptr) return false;
  if (codec->send(images.front(), settings_, now) != PacketSocket::Sent::kYes) {
    send_again_ = now + kSendPause;  // it has ended, or too many descriptors are in transit
    return false;
  }
  images.pop_front();
  return true;
}

bool CodecStage::ready() const {
  return std::any_of(codecs_.begin(), codecs_.end(),
                     [](const CodecClient& codec) { return codec.ready(); });
}

const std::string& CodecStage::layers() const {
  return std::find_if(codecs_.begin(), codecs_.end(),
                      [](const CodecClient& codec) { return codec.ready(); })
      ->layers();
}

TimePoint CodecStage::deadline() const {
  // A codec that is full will answer, which wakes the drainer; a failed send must be repeated.
  TimePoint earliest = send_again_;
  for (const CodecClient& codec : codecs_) earliest = std::min(earliest, codec.deadline());
  return earliest;
}

std::size_t CodecStage::compressing() const {
  std::size_t sum = 0;
  for (const CodecClient& codec : codecs_) sum += codec.held().size();
  return sum;
}

}  // namespace imgpress
