// A codec process and the images that were sent to it. It processes them in their order, so the
// first one held is the one that it works on.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drain/presses/press_client.hpp"

namespace imgpress {

class CodecClient {
 public:
  void start(const PressSettings& settings, TimePoint now);
  void stop() { press_.stop(); }
  bool running() const { return press_.running(); }
  bool ready() const { return press_.ready(); }
  const std::string& layers() const { return press_.layers(); }
  int fd() { return press_.fd(); }

  // Sends an image, which is moved from if the result is kYes.
  PacketSocket::Sent send(FetchedImage& image, const PressSettings& settings, TimePoint now);

  // The outcome of the image that it worked on; no value while it still works. An image that turns
  // out to be large is in take_large() instead. Throws PressEnded
  // when the codec has ended or is stopped, has not answered in time, or gives an impossible answer
  // (an unknown id, no output, an output larger than its source).
  std::optional<ImageOutcome> receive(TimePoint now);

  const std::deque<FetchedImage>& held() const { return held_; }
  std::uint64_t held_bytes() const { return held_bytes_; }
  // Takes back the images that a codec had not answered when it ended; the first is the one that it
  // worked on.
  std::deque<FetchedImage> take_held();

  // When to call receive() even if nothing is readable.
  // Images that were not sent as large ones, and were not compressed because they are.
  std::deque<FetchedImage> take_large() { return std::exchange(large_, {}); }
  // A large image is the last one that it was sent.
  bool holds_large() const { return !held_.empty() && held_.back().is_large; }
  // Whether the settings have changed so that only another process can obey them.
  bool is_outdated(const PressSettings& settings) const;

  TimePoint deadline() const;

  // How long an image takes while nothing else wants the processor: a moving average of the CPU
  // time that the codec reports; zero before its first answer.
  Clock::duration work_time() const { return work_time_; }

 private:
  bool is_busy() const { return press_.running() && (!press_.ready() || !held_.empty()); }
  TimePoint answer_due() const;
  void set_large_aside();
  ImageOutcome outcome_of(const wire::CompressReply& reply, UniqueFd output);

  PressClient press_;
  std::vector<std::string> arguments_;
  std::deque<FetchedImage> held_;
  std::deque<FetchedImage> large_;
  std::uint64_t held_bytes_ = 0;
  Clock::duration patience_{};
  TimePoint answer_by_{};
  Clock::duration work_time_{};
};

}  // namespace imgpress
