// The images in flight: downloaded by one fetcher, compressed by several codecs, none waiting for
// another. Never blocks, so that its owner can sleep on whatever else it waits for.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "drain/pipeline/codec_stage.hpp"
#include "drain/pipeline/fetch_stage.hpp"
#include "drain/presses/pipeline_types.hpp"

namespace imgpress {

struct PipelineLoad {
  std::size_t fetching = 0;
  std::size_t waiting = 0;
  std::size_t compressing = 0;
};

// As the drainer sees it, which is tested without any process.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  // New settings hold for work that has not been handed to a press yet.
  virtual void reconfigure(const PipelineSettings& settings, TimePoint now) = 0;

  // The presses take work.
  virtual bool ready() const = 0;
  virtual void add(ImageTask task) = 0;
  virtual void add(DeliveryTask task) = 0;

  // turn() will not be called for so long now and then: nobody is to run out of work meanwhile.
  virtual void expect_absence(Clock::duration absence) = 0;

  // Takes what the presses have answered, replaces those that ended or hang, hands out new work.
  // Throws PressUnusable, or std::system_error when a press cannot be started.
  virtual void turn(TimePoint now) = 0;
  // When turn() is to be called even if nothing happens.
  virtual TimePoint deadline() const = 0;

  // What has ended since the last call.
  std::vector<ImageOutcome> take_image_outcomes() { return std::exchange(image_outcomes_, {}); }
  std::vector<DeliveryOutcome> take_delivery_outcomes() {
    return std::exchange(delivery_outcomes_, {});
  }

 protected:
  std::vector<ImageOutcome> image_outcomes_;
  std::vector<DeliveryOutcome> delivery_outcomes_;
};

// The one with presses.
class PressPipeline final : public Pipeline {
 public:
  // Starts them. Throws std::system_error when they cannot be started.
  PressPipeline(const PipelineSettings& settings, TimePoint now);

  void reconfigure(const PipelineSettings& settings, TimePoint now) override;
  bool ready() const override { return fetching_.ready() && compressing_.ready(); }
  void add(ImageTask task) override { fetching_.add(std::move(task)); }
  void add(DeliveryTask task) override { fetching_.add(std::move(task)); }
  void expect_absence(Clock::duration absence) override { compressing_.expect_absence(absence); }
  void turn(TimePoint now) override;
  TimePoint deadline() const override;

  // Readable when turn() has something to do.
  int wait_fd() const { return poll_.get(); }
  PipelineLoad load() const;

 private:
  UniqueFd poll_;
  CodecStage compressing_;
  FetchStage fetching_;
  std::uint64_t max_waiting_bytes_;
};

}  // namespace imgpress
