// The drainer's work on webhooks.
#include "backend/bridge/boundary.hpp"
#include "backend/worker/drainer_work.hpp"
#include "backend/worker/worker_transaction.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kDeliverySlots = 16;
constexpr int kDeliveryGraceMs = 60 * 1000;

}  // namespace

// A transaction of their own: whatever is wrong with webhooks must not hold up images.
bool DrainerWork::finish_deliveries() {
  guard([&] {
    delivery_batch_.clear();
    for (const DeliveryOutcome& outcome : pipeline_.delivery_outcomes()) {
      const auto id = static_cast<int64>(outcome.key);
      const auto token = delivery_tokens_.find(id);
      if (token == delivery_tokens_.end()) continue;
      delivery_batch_.push_back({id, token->second, outcome.http_status,
                                 outcome.fault == Fault::kNone ? nullptr : outcome.message.c_str(),
                                 static_cast<int32>(outcome.retry_after_seconds)});
    }
  });
  const auto body = [](void* arg) {
    auto* work = static_cast<DrainerWork*>(arg);
    for (const DeliveryResult& result : work->delivery_batch_) {
      work->queue_.finish_delivery(result, work->config_.webhook_retry_delays);
    }
  };
  const TransactionEnd end = run_transaction("finishing webhooks", body, this);
  // If it failed, their leases end, and they are delivered again under the same webhook-id.
  guard([&] {
    for (const DeliveryResult& result : delivery_batch_) delivery_tokens_.erase(result.id);
    pipeline_.delivery_outcomes().clear();
  });
  look_for_work_ = true;
  return end != TransactionEnd::kNotInstalled;
}

bool DrainerWork::claim_deliveries() {
  if (delivery_tokens_.size() >= kDeliverySlots) return true;
  struct DeliveryClaim {
    DrainerWork* work;
    int64 token;
  } claim{this, random_token()};
  const auto body = [](void* arg) {
    auto* c = static_cast<DeliveryClaim*>(arg);
    DrainerWork* work = c->work;
    // Nothing renews these leases, so they outlast the attempt.
    const int lease_ms =
        Max(work->config_.lease_ms, 2 * work->config_.webhook_timeout_ms + kDeliveryGraceMs);
    const auto slots = static_cast<int>(kDeliverySlots - work->delivery_tokens_.size());
    const ClaimedDeliveries claimed = work->queue_.claim_deliveries(c->token, slots, lease_ms);
    guard([&] { work->note_claimed(claimed); });
  };
  const TransactionEnd end = run_transaction("claiming webhooks", body, &claim);
  if (end == TransactionEnd::kCommitted) {
    guard([&] { start_deliveries(claim.token); });
  } else {
    guard([&] { claimed_deliveries_.clear(); });
    deliveries_not_before_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kDeliveryGraceMs);
  }
  return end != TransactionEnd::kNotInstalled;
}

void DrainerWork::note_claimed(const ClaimedDeliveries& deliveries) {
  for (int i = 0; i < deliveries.count; ++i) {
    const ClaimedDelivery& delivery = deliveries.deliveries[i];
    claimed_deliveries_.push_back(
        DeliveryTask{static_cast<std::uint64_t>(delivery.id),
                     delivery.url,
                     {delivery.headers, delivery.headers + delivery.header_count},
                     delivery.payload});
  }
}

void DrainerWork::start_deliveries(int64 token) {
  for (DeliveryTask& delivery : claimed_deliveries_) {
    const auto id = static_cast<int64>(delivery.key);
    if (delivery_tokens_.emplace(id, token).second) pipeline_.add(std::move(delivery));
  }
  claimed_deliveries_.clear();
  pipeline_.turn(Clock::now());
}

}  // namespace imgpress
