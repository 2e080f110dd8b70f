#include "drain/pipeline/pipeline.hpp"

#include <algorithm>
#include <utility>

namespace imgpress {
PressPipeline::PressPipeline(const PipelineSettings& settings, TimePoint now)
    : poll_(make_poll()),
      compressing_(settings, poll_.get(), now),
      fetching_(settings, poll_.get(), now),
      max_waiting_bytes_(settings.max_waiting_bytes) {}

void PressPipeline::reconfigure(const PipelineSettings& settings, TimePoint now) {
  max_waiting_bytes_ = settings.max_waiting_bytes;
  compressing_.reconfigure(settings, now);
  fetching_.reconfigure(settings);
}

void PressPipeline::turn(TimePoint now) {
  FetchStage::Results results{{}, &image_outcomes_, &delivery_outcomes_};
  const bool may_start_more = compressing_.waiting_bytes() < max_waiting_bytes_;
  fetching_.turn(now, may_start_more, results);
  for (FetchedImage& image : results.fetched) compressing_.add(std::move(image));
  compressing_.turn(now, image_outcomes_);
}

TimePoint PressPipeline::deadline() const {
  return std::min(fetching_.deadline(), compressing_.deadline());
}

PipelineLoad PressPipeline::load() const {
  return {fetching_.size(), compressing_.waiting(), compressing_.compressing()};
}

}  // namespace imgpress
