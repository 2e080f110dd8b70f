#include "drain/deliveries.hpp"

#include <utility>

namespace imgpress {
namespace {

constexpr std::size_t kSlots = 16;

}  // namespace

int Deliveries::free_slots() const {
  return static_cast<int>(kSlots - std::min(kSlots, tokens_.size()));
}

void Deliveries::start(std::int64_t token, std::vector<ClaimedDelivery> claimed,
                       Pipeline& pipeline) {
  for (ClaimedDelivery& delivery : claimed) {
    // One whose lease has ended meanwhile may be claimed again while it is still under way.
    if (!tokens_.emplace(delivery.id, token).second) continue;
    pipeline.add(DeliveryTask{static_cast<std::uint64_t>(delivery.id), std::move(delivery.url),
                              std::move(delivery.headers), std::move(delivery.payload)});
  }
}

void Deliveries::take(std::vector<DeliveryOutcome> outcomes) {
  for (DeliveryOutcome& outcome : outcomes) {
    FinishedDelivery finished;
    finished.id = static_cast<std::int64_t>(outcome.key);
    finished.token = tokens_.at(finished.id);
    finished.http_status = outcome.http_status;
    finished.retry_after_seconds = outcome.retry_after_seconds;
    if (outcome.fault != Fault::kNone) finished.error = std::move(outcome.reason);
    ended_.push_back(std::move(finished));
  }
}

void Deliveries::forget(const std::vector<FinishedDelivery>& recorded) {
  for (const FinishedDelivery& delivery : recorded) tokens_.erase(delivery.id);
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(recorded.size()));
}

}  // namespace imgpress
