#include "drain/pipeline/pipeline.hpp"

#include <algorithm>
#include <utility>

namespace imgpress {
PressPipeline::PressPipeline(const PipelineSettings& settings, TimePoint now)
    : poll_(make_poll()),
      memory_limit_(settings.memory_limit),
      compressing_(settings, poll_.get(), now),
      fetching_(settings, poll_.get(), memory_, now) {}

void PressPipeline::reconfigure(const PipelineSettings& settings, TimePoint now) {
  memory_limit_ = settings.memory_limit;
  compressing_.reconfigure(settings, now);
  fetching_.reconfigure(settings);
}

void PressPipeline::turn(TimePoint now) {
  FetchStage::Results results{{}, &image_outcomes_, &delivery_outcomes_};
  fetching_.turn(now, results);
  for (FetchedImage& image : results.fetched) compressing_.add(std::move(image));
  compressing_.turn(now, image_outcomes_);
  fetching_.tell_memory(now);
}

TimePoint PressPipeline::deadline() const {
  return std::min(fetching_.deadline(), compressing_.deadline());
}

PipelineLoad PressPipeline::load() const {
  return {fetching_.size(), compressing_.waiting(), compressing_.compressing(),
          memory_->held + fetching_.memory_use(), memory_limit_};
}

}  // namespace imgpress
