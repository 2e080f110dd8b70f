// A pipeline without presses: tasks stay in it until a test ends them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "drain/pipeline/pipeline.hpp"

namespace imgpress::test {

class FakePipeline final : public Pipeline {
 public:
  bool is_ready = true;
  std::vector<ImageTask> images;
  std::vector<DeliveryTask> deliveries;
  std::size_t codecs = 0;  // as configured last
  std::vector<HostRule> host_rules;
  Clock::duration absence{};
  std::size_t hanging_images = 0;
  bool arrives_at_next_turn = false;  // the answer for the next image

  void reconfigure(const PipelineSettings& settings, TimePoint) override {
    codecs = settings.codecs;
  }
  void set_host_rules(std::vector<HostRule> rules) override { host_rules = std::move(rules); }
  bool ready() const override { return is_ready; }
  void add(ImageTask task) override { images.push_back(std::move(task)); }
  void add(DeliveryTask task) override { deliveries.push_back(std::move(task)); }
  std::size_t hanging() const override { return hanging_images; }
  void expect_absence(Clock::duration expected) override { absence = expected; }
  void turn(TimePoint) override {
    if (std::exchange(arrives_at_next_turn, false)) finish();
  }
  TimePoint deadline() const override { return TimePoint::max(); }

  // The next `count` images end.
  void finish(std::size_t count = 1, std::uint64_t output_bytes = 100) {
    for (; count > 0; --count) {
      ImageOutcome outcome;
      outcome.key = take_image().key;
      outcome.source_bytes = 2 * output_bytes;
      outcome.output_bytes = output_bytes;
      image_outcomes_.push_back(std::move(outcome));
    }
  }
  void fail(Fault fault, Ending ending = Ending::kFailed) {
    ImageOutcome outcome;
    outcome.key = take_image().key;
    outcome.ending = ending;
    outcome.fault = fault;
    outcome.reason = "as the test wants it";
    image_outcomes_.push_back(std::move(outcome));
  }
  void deliver(Fault fault = Fault::kNone) {
    DeliveryOutcome outcome;
    outcome.key = deliveries.at(0).key;
    outcome.fault = fault;
    if (fault != Fault::kNone) outcome.reason = "as the test wants it";
    deliveries.erase(deliveries.begin());
    delivery_outcomes_.push_back(std::move(outcome));
  }

 private:
  ImageTask take_image() {
    ImageTask task = images.at(0);
    images.erase(images.begin());
    return task;
  }
};

}  // namespace imgpress::test
