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
  std::vector<std::int64_t> under_way() const;  // ids
  std::vector<std::int64_t> tokens() const;     // of the leases that must be kept

  // Hands claimed deliveries to the pipeline.
  void start(std::int64_t token, std::vector<ClaimedDelivery> claimed, Pipeline& pipeline);

  // An attempt has ended, and is to be recorded.
  void judge(DeliveryOutcome outcome, const std::vector<std::int64_t>& retry_delays_ms,
             double unit_random);
  // When to record the next ones; TimePoint::max() if there are none.
  TimePoint due() const;
  std::vector<FinishedDelivery> due_now(TimePoint now) const;
  // These have been recorded, but for those with an index in `put_off`, whose rows are locked.
  void note_recorded(const FinishDeliveriesCall& call, const FinishDeliveriesAnswer& answer,
                     TimePoint now);

 private:
  struct Held {
    std::int64_t token = 0;
    int attempts = 0;
  };
  struct Ended {
    FinishedDelivery delivery;
    TimePoint record_at{};
  };

  bool goes_on(std::int64_t id, std::int64_t token);

  std::unordered_map<std::int64_t, Held> held_;  // by id, from claim until recorded
  std::vector<Ended> ended_;
};

}  // namespace imgpress
