// The second half of the pipeline: downloaded images on their way to and through the codecs.
#pragma once

#include <deque>
#include <vector>

#include "drain/presses/codec_client.hpp"

namespace imgpress {

class CodecStage {
 public:
  CodecStage(const PipelineSettings& settings, int poll_fd, TimePoint now);

  void reconfigure(const PipelineSettings& settings, TimePoint now);
  void expect_absence(Clock::duration absence) { absence_ = absence; }
  void add(FetchedImage image);

  // Takes answers, replaces codecs that have ended or hang, and sends waiting images.
  void turn(TimePoint now, std::vector<ImageOutcome>& outcomes);

  bool ready() const;  // at least one codec accepts work
  std::size_t codecs() const { return codecs_.size(); }
  // The layers of a codec's confinement. REQUIRES: ready().
  const std::string& layers() const;
  TimePoint deadline() const;
  std::size_t waiting() const { return waiting_.size() + large_.size(); }
  std::size_t compressing() const;

 private:
  void start(CodecClient& codec, TimePoint now);
  void receive_all(CodecClient& codec, TimePoint now, std::vector<ImageOutcome>& outcomes);
  void replace(CodecClient& codec, const PressEnded& ended, TimePoint now,
               std::vector<ImageOutcome>& outcomes);
  void put_back(std::deque<FetchedImage> images);
  void send_waiting(TimePoint now);
  bool send_first(std::deque<FetchedImage>& images, TimePoint now);
  CodecClient* next_codec();
  bool has_room(const CodecClient& codec) const;

  PipelineSettings settings_;
  int poll_fd_;
  std::deque<CodecClient> codecs_;
  std::deque<FetchedImage> waiting_;
  std::deque<FetchedImage> large_;  // waiting as well
  Clock::duration absence_{};       // see Pipeline::expect_absence()
  TimePoint send_again_ = TimePoint::max();
};

}  // namespace imgpress
