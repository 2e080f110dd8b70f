// What the fetcher of a worker reports about hosts, on its way into shared memory.
#pragma once

#include "drain/pipeline/pipeline.hpp"

#include "backend/worker/shared_state.hpp"

namespace imgpress {

// To be called often: it does nothing unless there is a new report. `slots` are the worker's own.
void publish_hosts(SharedState* shared, HostSlots* slots, const PressPipeline& pipeline);

}  // namespace imgpress
