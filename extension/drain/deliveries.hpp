// The webhook deliveries of a drainer: those under way, and those that ended and are to be
// recorded.
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
  std::vector<std::int64_t> tokens() const;  // of the leases that must be kept

  // Hands claimed deliveries to the pipeline.
  void start(std::int64_t token, std::vector<ClaimedDelivery> claimed, Pipeline& pipeline);

  // An attempt has ended. What becomes of the delivery is in ended() until forget().
  void judge(DeliveryOutcome outcome, const std::vector<std::int64_t>& retry_delays_ms,
             double unit_random);
  const std::vector<FinishedDelivery>& ended() const { return ended_; }
  // These, the first of ended(), have been recorded.
  void forget(const std::vector<FinishedDelivery>& recorded);

 private:
  struct Held {
    std::int64_t token = 0;
    int attempts = 0;
  };

  bool goes_on(std::int64_t id, std::int64_t token);

  std::unordered_map<std::int64_t, Held> held_;  // by id, from claim until recorded
  std::vector<FinishedDelivery> ended_;
};

}  // namespace imgpress
