// A codec process and the images that it has been given. It answers in their order, so the first of
// them is the one that it works on.
#pragma once

#include <deque>
#include <optional>

#include "drain/presses/press_client.hpp"

namespace imgpress {

class CodecClient {
 public:
  void start(const std::string& path, TimePoint now);
  void stop() { press_.stop(); }
  bool running() const { return press_.running(); }
  bool ready() const { return press_.ready(); }
  int fd() { return press_.fd(); }

  // Hands over one image, which is moved from if the result is kYes.
  PacketSocket::Sent send(FetchedImage& image, const PressSettings& settings, TimePoint now);

  // What became of the image that it worked on; nothing while it still works. Throws PressEnded
  // also for an answer that cannot be true (a foreign id, no output, one larger than its source),
  // and when it has not answered by deadline().
  std::optional<ImageOutcome> receive(TimePoint now);

  const std::deque<FetchedImage>& held() const { return held_; }
  std::uint64_t held_bytes() const { return held_bytes_; }
  // Of a codec that has ended: what it had not answered, the image that it worked on first.
  std::deque<FetchedImage> take_held();

  TimePoint deadline() const;

  // How long an image takes lately, as the codec tells; zero when it has not told yet.
  Clock::duration work_time() const { return work_time_; }

 private:
  ImageOutcome outcome_of(const wire::CompressReply& reply, UniqueFd output);

  PressClient press_;
  std::deque<FetchedImage> held_;
  std::uint64_t held_bytes_ = 0;
  Clock::duration patience_{};
  TimePoint answer_by_{};
  Clock::duration work_time_{};
};

}  // namespace imgpress
