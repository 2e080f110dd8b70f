// The pipelines of an ordinary session, for functions that process many images. One is kept for the
// next call, so that it finds its presses running.
#pragma once

#include "drain/pipeline/pipeline.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// Holds a pipeline that nobody else in the session uses. Lives in a memory context: where that is
// deleted before the pipeline was given back, its presses end with what they are working on.
class PipelineLease {
 public:
  PipelineLease() = default;
  PipelineLease(const PipelineLease&) = delete;
  PipelineLease& operator=(const PipelineLease&) = delete;
  ~PipelineLease() { end(); }

  // Takes the one that is kept, with these settings but no fewer codecs than it has, or makes one.
  // Throws like PressPipeline.
  void take(PipelineSettings settings, TimePoint now);
  // Keeps it for the next call. REQUIRES: it has no work.
  void give_back();
  // Ends and reaps its presses.
  void end();

  // nullptr once the session ends.
  PressPipeline* get() const { return pipeline_.get(); }

 private:
  std::unique_ptr<PressPipeline> pipeline_;
};

}  // namespace imgpress
