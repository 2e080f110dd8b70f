#include "drain/deliveries.hpp"

#include <algorithm>
#include <utility>

namespace imgpress {
namespace {

constexpr std::size_t kSlots = 32;
constexpr std::size_t kMostPutOff = 256;
constexpr std::chrono::seconds kPutOffPause{1};  // while the row of a delivery is locked

}  // namespace

int Deliveries::free_slots() const {
  // One whose row is locked is no longer under way, and holds up no other.
  const auto put_off = static_cast<std::size_t>(std::count_if(
      ended_.begin(), ended_.end(), [](const Ended& one) { return one.record_at != TimePoint{}; }));
  const std::size_t used = held_.size() - std::min(put_off, kMostPutOff);
  return static_cast<int>(kSlots - std::min(kSlots, used));
}

std::vector<std::int64_t> Deliveries::under_way() const {
  std::vector<std::int64_t> ids;
  for (const auto& [id, held] : held_) {
    const bool has_ended = std::any_of(ended_.begin(), ended_.end(), [id = id](const Ended& one) {
      return one.delivery.id == id;
    });
    if (!has_ended) ids.push_back(id);
  }
  return ids;
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
                                  [&](const Ended& one) { return one.delivery.id == id; });
  if (ended == ended_.end()) return true;  // it is under way
  if (ended->delivery.verdict.kind == Verdict::Kind::kRetry) {
    // Its end may be recorded already, and the new attempt has an end of its own.
    ended_.erase(ended);
    return false;
  }
  ended->delivery.token = token;
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
  ended_.push_back({std::move(finished)});
}

TimePoint Deliveries::due() const {
  TimePoint first = TimePoint::max();
  for (const Ended& one : ended_) first = std::min(first, one.record_at);
  return first;
}

std::vector<FinishedDelivery> Deliveries::due_now(TimePoint now) const {
  std::vector<FinishedDelivery> due;
  for (const Ended& one : ended_) {
    if (one.record_at <= now) due.push_back(one.delivery);
  }
  return due;
}

void Deliveries::note_recorded(const FinishDeliveriesCall& call,
                               const FinishDeliveriesAnswer& answer, TimePoint now) {
  for (std::size_t i = 0; i < call.deliveries.size(); ++i) {
    const auto ended = std::find_if(ended_.begin(), ended_.end(), [&](const Ended& one) {
      return one.delivery.id == call.deliveries[i].id;
    });
    if (std::find(answer.put_off.begin(), answer.put_off.end(), i) != answer.put_off.end()) {
      ended->record_at = now + kPutOffPause;
      continue;
    }
    held_.erase(ended->delivery.id);
    ended_.erase(ended);
  }
}

}  // namespace imgpress
