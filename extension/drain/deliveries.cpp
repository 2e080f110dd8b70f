#include "drain/deliveries.hpp"

#include <algorithm>
#include <utility>

namespace imgpress {
namespace {

constexpr std::size_t kSlots = 16;

}  // namespace

int Deliveries::free_slots() const {
  return static_cast<int>(kSlots - std::min(kSlots, held_.size()));
}

std::vector<std::int64_t> Deliveries::tokens() const {
  std::vector<std::int64_t> tokens;
  for (const auto& [id, held] : held_) tokens.push_back(held.token);
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

void Deliveries::start(std::int64_t token, std::vector<ClaimedDelivery> claimed,
                       Pipeline& pipeline) {
  for (ClaimedDelivery& delivery : claimed) {
    const Held held{token, delivery.attempts};
    const bool is_new = held_.insert_or_assign(delivery.id, held).second;
    if (!is_new && goes_on(delivery.id, token)) continue;
    pipeline.add(DeliveryTask{static_cast<std::uint64_t>(delivery.id), std::move(delivery.url),
                              std::move(delivery.headers), std::move(delivery.payload)});
  }
}

// For a delivery that is claimed while it is still held: its lease was lost, or its end was
// recorded and the answer to that was lost. Returns whether the earlier attempt serves the new
// lease as well; else the message is sent again.
bool Deliveries::goes_on(std::int64_t id, std::int64_t token) {
  const auto ended = std::find_if(ended_.begin(), ended_.end(),
                                  [&](const FinishedDelivery& one) { return one.id == id; });
  if (ended == ended_.end()) return true;  // it is under way
  if (ended->verdict.kind == Verdict::Kind::kRetry) {
    // Its end may be recorded already, and the new attempt has an end of its own.
    ended_.erase(ended);
    return false;
  }
  ended->token = token;
  return true;
}

void Deliveries::judge(DeliveryOutcome outcome, const std::vector<std::int64_t>& retry_delays_ms,
                       double unit_random) {
  const bool delivered = outcome.fault == Fault::kNone;
  const AttemptResult result{delivered ? Ending::kDone : Ending::kFailed, outcome.fault,
                             outcome.http_status, outcome.retry_after_seconds};
  FinishedDelivery finished;
  finished.id = static_cast<std::int64_t>(outcome.key);
  const Held& held = held_.at(finished.id);
  finished.token = held.token;
  finished.verdict = judge_delivery(result, held.attempts, retry_delays_ms, unit_random);
  finished.http_status = outcome.http_status;
  if (!delivered) finished.error = std::move(outcome.reason);
  ended_.push_back(std::move(finished));
}

void Deliveries::forget(const std::vector<FinishedDelivery>& recorded) {
  for (const FinishedDelivery& delivery : recorded) held_.erase(delivery.id);
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(recorded.size()));
}

}  // namespace imgpress
