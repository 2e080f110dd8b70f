// The images in flight: downloaded by one fetcher, compressed by several codecs. No image waits for
// another one. No call blocks, so that the owner can wait for other events as well.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "drain/pipeline/codec_stage.hpp"
#include "drain/pipeline/fetch_stage.hpp"

namespace imgpress {

struct PipelineLoad {
  std::size_t fetching = 0;
  std::size_t waiting = 0;
  std::size_t compressing = 0;
  std::uint64_t memory = 0;        // bytes of all images, also of those not recorded yet
  std::uint64_t memory_limit = 0;  // as configured
};

// The interface that the drainer uses; its tests replace it by one without processes.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  // The new settings apply to work that has not been sent to a press yet.
  virtual void reconfigure(const PipelineSettings& settings, TimePoint now) = 0;

  // Rules for hosts, which replace the earlier ones.
  virtual void set_host_rules(std::vector<HostRule> rules) = 0;

  // True when the presses accept work.
  virtual bool ready() const = 0;
  virtual void add(ImageTask task) = 0;
  virtual void add(DeliveryTask task) = 0;

  // Images whose downloads get no answer for long.
  virtual std::size_t hanging() const = 0;

  // turn() will sometimes not be called for this long, while the drainer waits for the database.
  // The codecs are sent enough images in advance to stay busy.
  virtual void expect_absence(Clock::duration absence) = 0;

  // Takes the answers of the presses, replaces those that have ended or hang, and sends new work.
  // Throws PressUnusable, or std::system_error when a press cannot be started.
  virtual void turn(TimePoint now) = 0;
  // When to call turn() next, even if nothing is readable.
  virtual TimePoint deadline() const = 0;

  // The outcomes since the last call.
  std::vector<ImageOutcome> take_image_outcomes() { return std::exchange(image_outcomes_, {}); }
  std::vector<DeliveryOutcome> take_delivery_outcomes() {
    return std::exchange(delivery_outcomes_, {});
  }

 protected:
  std::vector<ImageOutcome> image_outcomes_;
  std::vector<DeliveryOutcome> delivery_outcomes_;
};

// The implementation with press processes.
class PressPipeline final : public Pipeline {
 public:
  // Starts the presses. Throws std::system_error when they cannot be started.
  PressPipeline(const PipelineSettings& settings, TimePoint now);

  void reconfigure(const PipelineSettings& settings, TimePoint now) override;
  void set_host_rules(std::vector<HostRule> rules) override {
    fetching_.set_host_rules(std::move(rules));
  }
  bool ready() const override { return fetching_.ready() && compressing_.ready(); }
  void add(ImageTask task) override { fetching_.add(std::move(task)); }
  void add(DeliveryTask task) override { fetching_.add(std::move(task)); }
  std::size_t hanging() const override { return fetching_.hanging(); }
  // An image that need not be downloaded.
  void add(FetchedImage image) { compressing_.add(std::move(image)); }
  void expect_absence(Clock::duration absence) override { compressing_.expect_absence(absence); }
  void turn(TimePoint now) override;
  TimePoint deadline() const override;

  // Readable when a press has answered or ended.
  int wait_fd() const { return poll_.get(); }
  PipelineLoad load() const;
  // See FetcherClient.
  const std::vector<HostState>& host_states() const { return fetching_.fetcher().host_states(); }
  std::uint64_t host_report() const { return fetching_.fetcher().host_report(); }
  std::size_t codecs() const { return compressing_.codecs(); }
  // The layers of a codec's confinement. REQUIRES: ready().
  const std::string& codec_layers() const { return compressing_.layers(); }

 private:
  UniqueFd poll_;
  std::shared_ptr<MemoryLedger> memory_ = std::make_shared<MemoryLedger>();
  std::uint64_t memory_limit_;
  CodecStage compressing_;
  FetchStage fetching_;
};

}  // namespace imgpress
