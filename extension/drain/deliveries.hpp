// The webhooks that a drainer delivers: which are under way, and how they ended.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "drain/pipeline/pipeline.hpp"
#include "drain/queue.hpp"

namespace imgpress {

class Deliveries {
 public:
  int free_slots() const;

  // Hands claimed deliveries to the pipeline.
  void start(std::int64_t token, std::vector<ClaimedDelivery> claimed, Pipeline& pipeline);

  // Takes how they ended; whoever asks for ended() records it, and says once that is done.
  void take(std::vector<DeliveryOutcome> outcomes);
  const std::vector<FinishedDelivery>& ended() const { return ended_; }
  void forget(const std::vector<FinishedDelivery>& recorded);

 private:
  std::unordered_map<std::int64_t, std::int64_t> tokens_;  // by id, from claim until recorded
  std::vector<FinishedDelivery> ended_;
};

}  // namespace imgpress
