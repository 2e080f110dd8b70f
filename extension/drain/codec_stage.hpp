// The second half of the pipeline: downloaded images that wait for, or are with, a codec.
#pragma once

#include <deque>
#include <vector>

#include "drain/pipeline_types.hpp"
#include "drain/press_process.hpp"

namespace imgpress {

class CodecStage {
 public:
  CodecStage(const PipelineSettings& settings, int poll_fd);

  void reconfigure(const PipelineSettings& settings);
  void add(FetchedImage image);

  // Takes answers, replaces codecs that died or hang, hands out waiting images.
  void turn(TimePoint now, std::vector<ImageOutcome>& outcomes);

  TimePoint deadline() const;
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t compressing() const;
  std::uint64_t waiting_bytes() const { return waiting_bytes_; }

 private:
  // A codec answers in order, so the front of `held` is the image it works on. It gets a few more
  // in advance and need not wait for us between two images.
  struct Codec {
    PressProcess press;
    std::deque<FetchedImage> held;
    TimePoint deadline;
    int deaths_in_a_row = 0;  // since anything was answered
  };

  void start(Codec& codec);
  bool receive_all(Codec& codec, TimePoint now, std::vector<ImageOutcome>& outcomes);
  void take_reply(Codec& codec, wire::CompressReply reply, UniqueFd output,
                  std::vector<ImageOutcome>& outcomes);
  void replace(Codec& codec, std::vector<ImageOutcome>& outcomes);
  void put_back(FetchedImage image);
  void send_waiting(TimePoint now);
  bool send(Codec& codec, TimePoint now);
  std::chrono::seconds patience() const;

  PipelineSettings settings_;
  int poll_fd_;
  std::deque<Codec> codecs_;
  std::deque<FetchedImage> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  TimePoint send_again_ = TimePoint::max();
};

}  // namespace imgpress
