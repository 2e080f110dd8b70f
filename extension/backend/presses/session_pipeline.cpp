#include "backend/presses/session_pipeline.hpp"

#include <algorithm>
#include <vector>

namespace imgpress {
namespace {

struct SessionPipelines {
  std::unique_ptr<PressPipeline> kept;
  std::vector<PipelineLease*> leases;
};

SessionPipelines* pipelines = nullptr;  // made at first use

// Presses must not become orphans: a postmaster that runs as process 1 adopts them and would take
// one that ends for a crashed backend.
void end_all(int, Datum) {
  pipelines->kept.reset();
  while (!pipelines->leases.empty()) pipelines->leases.back()->end();
}

}  // namespace

void PipelineLease::take(PipelineSettings settings, TimePoint now) {
  if (pipelines == nullptr) {
    pipelines = new SessionPipelines;
    before_shmem_exit(end_all, static_cast<Datum>(0));
  }
  pipelines->leases.push_back(this);
  pipeline_ = std::move(pipelines->kept);
  if (pipeline_) {
    settings.codecs = std::max(settings.codecs, pipeline_->codecs());
    pipeline_->reconfigure(settings, now);
  } else {
    pipeline_ = std::make_unique<PressPipeline>(settings, now);
  }
}

void PipelineLease::give_back() {
  pipelines->kept = std::move(pipeline_);
  end();
}

void PipelineLease::end() {
  pipeline_.reset();
  if (pipelines == nullptr) return;
  auto& leases = pipelines->leases;
  leases.erase(std::remove(leases.begin(), leases.end(), this), leases.end());
}

}  // namespace imgpress
