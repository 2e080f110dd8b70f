// The images in flight: downloaded by one fetcher, compressed by several codecs, none waiting for
// another. Free of PostgreSQL; never blocks, so the drainer can sleep on its latch instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "drain/codec_stage.hpp"
#include "drain/fetch_stage.hpp"
#include "drain/pipeline_types.hpp"

namespace imgpress {

class Pipeline {
 public:
  // Starts the press processes. Throws std::system_error when they cannot be started.
  explicit Pipeline(const PipelineSettings& settings);

  // New settings hold for work that has not been handed to a press yet.
  void reconfigure(const PipelineSettings& settings);

  void add(ImageTask task) { fetching_.add(std::move(task)); }
  void add(DeliveryTask task) { fetching_.add(std::move(task)); }

  // Takes what the presses have answered, replaces those that died or hang, hands out new work.
  // Throws std::runtime_error when a press cannot be started again or keeps ending at once.
  void turn(TimePoint now);

  // Readable when turn() has something to do.
  int wait_fd() const { return poll_.get(); }
  // When turn() is to be called even if nothing becomes readable.
  TimePoint deadline() const;

  // What has ended since the last call; the caller empties these.
  std::vector<ImageOutcome>& image_outcomes() { return image_outcomes_; }
  std::vector<DeliveryOutcome>& delivery_outcomes() { return delivery_outcomes_; }
  const std::vector<ImageOutcome>& image_outcomes() const { return image_outcomes_; }
  const std::vector<DeliveryOutcome>& delivery_outcomes() const { return delivery_outcomes_; }

  struct Load {
    std::size_t fetching;
    std::size_t waiting;
    std::size_t compressing;
  };
  Load load() const;

 private:
  UniqueFd poll_;
  std::vector<ImageOutcome> image_outcomes_;
  std::vector<DeliveryOutcome> delivery_outcomes_;
  CodecStage compressing_;
  FetchStage fetching_;
  std::uint64_t max_waiting_bytes_;
};

}  // namespace imgpress
