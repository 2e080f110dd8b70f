#include "backend/drainer_work.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "backend/boundary.hpp"
#include "backend/press_path.hpp"
#include "backend/shared_state.hpp"
#include "backend/worker_transaction.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kBatch = 32;                // images finished in one transaction
constexpr std::chrono::milliseconds kGather{10};  // how long a batch may take to fill up
constexpr int kDeliverySlots = 16;
constexpr std::size_t kRequestsPerClaim = 32;  // LIMIT in imgpress.claim_fresh()
constexpr std::size_t kMaxWaitingBytes = 64 * 1024 * 1024;
constexpr long kFirstErrorPauseMs = 500;
constexpr long kLongestErrorPauseMs = 60 * 1000;
// A look that nobody asked for: covers what cannot wake a drainer (a prepared transaction, say).
constexpr long kFallbackMs = 60 * 1000;

PipelineSettings pipeline_settings(const Settings& config) {
  PipelineSettings settings;
  settings.press_path = press_path();
  settings.allowed_networks = config.allowed_networks;
  settings.connections_per_host = static_cast<std::uint32_t>(config.connections_per_host);
  settings.max_image_bytes = static_cast<std::uint64_t>(config.max_image_bytes);
  settings.max_pixels = static_cast<std::uint64_t>(config.max_pixels);
  settings.connect_timeout_ms = static_cast<std::uint32_t>(config.connect_timeout_ms);
  settings.fetch_timeout_ms = static_cast<std::uint32_t>(config.fetch_timeout_ms);
  settings.webhook_timeout_ms = static_cast<std::uint32_t>(config.webhook_timeout_ms);
  settings.codec_cpu_seconds = static_cast<std::uint32_t>(config.codec_cpu_seconds);
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  settings.codecs =
      static_cast<std::size_t>(config.codecs > 0 ? config.codecs : std::max(cores, 1L));
  settings.max_waiting_bytes = kMaxWaitingBytes;
  return settings;
}

RetryLimits retry_limits(const Settings& config) {
  return {config.max_attempts, config.retry_base_delay_ms, config.retry_max_delay_ms};
}

int64 random_token() {
  int64 token = 0;
  if (!pg_strong_random(&token, sizeof(token))) elog(ERROR, "no random numbers are available");
  return token;
}

}  // namespace

DrainerWork::DrainerWork(const Settings& config)
    : config_(config), pipeline_(pipeline_settings(config)) {}

void DrainerWork::reconfigure(const Settings& config) {
  config_ = config;
  guard([&] { pipeline_.reconfigure(pipeline_settings(config)); });
}

bool DrainerWork::begin() {
  const auto rescue = [](void* arg) {
    auto* queue = static_cast<Queue*>(arg);
    const int64 rescued = queue->rescue(false);
    queue->rescue_deliveries();
    if (rescued > 0) {
      ereport(LOG, (errmsg("imgpress: %lld images of a drainer that ended are tried again",
                           static_cast<long long>(rescued))));
    }
  };
  return run_transaction("rescuing interrupted work", rescue, &queue_) ==
         TransactionEnd::kCommitted;
}

bool DrainerWork::turn() {
  guard([&] {
    const TimePoint now = Clock::now();
    const bool had_none = pipeline_.image_outcomes().empty();
    pipeline_.turn(now);
    if (had_none) oldest_outcome_ = now;
  });
  const TimestampTz now = GetCurrentTimestamp();
  if (now < not_before_) return true;
  if (must_finish()) {
    if (!finish()) return false;
    look_for_work_ = true;  // there is room again
  }
  if (look_for_work_ || next_due_ <= now) {
    if (may_claim() && !claim()) return false;
  }
  return renew_at_ > now || keep_leases();
}

// A lone image is finished at once; under load a batch shares one commit.
bool DrainerWork::must_finish() const {
  const std::size_t images = pipeline_.image_outcomes().size();
  const bool deliveries = !pipeline_.delivery_outcomes().empty();
  if (images == 0) return deliveries;
  const bool alone = images == window_.size();
  return alone || deliveries || images >= kBatch || Clock::now() - oldest_outcome_ >= kGather;
}

void DrainerWork::prepare_finish() {
  batch_.clear();
  delivery_batch_.clear();
  const auto& images = pipeline_.image_outcomes();
  const RetryLimits limits = retry_limits(config_);
  for (std::size_t i = 0; i < std::min(images.size(), kBatch); ++i) {
    batch_.push_back(window_.judge_outcome(images[i], limits));
  }
  ended_tokens_ = window_.tokens_ended_by(batch_);
  for (const DeliveryOutcome& outcome : pipeline_.delivery_outcomes()) {
    const auto id = static_cast<int64>(outcome.key);
    delivery_batch_.push_back({id, delivery_tokens_.at(id), outcome.http_status,
                               outcome.fault == Fault::kNone ? nullptr : outcome.message.c_str(),
                               static_cast<int32>(outcome.retry_after_seconds)});
  }
}

bool DrainerWork::finish() {
  guard([&] { prepare_finish(); });
  const auto body = [](void* arg) {
    auto* work = static_cast<DrainerWork*>(arg);
    if (!work->batch_.empty()) {
      work->queue_.finish_images(work->batch_.data(), static_cast<int>(work->batch_.size()));
    }
    for (const DeliveryResult& result : work->delivery_batch_) {
      work->queue_.finish_delivery(result, work->config_.webhook_retry_delays);
    }
    if (!work->ended_tokens_.empty()) {
      work->queue_.end_leases(work->ended_tokens_);
    }
  };
  const TransactionEnd end = run_transaction("finishing images", body, this);
  note_end(end == TransactionEnd::kFailed);
  if (end != TransactionEnd::kCommitted) return end == TransactionEnd::kFailed;
  wake_waiters_now();
  guard([&] { forget_finished(); });
  return true;
}

void DrainerWork::forget_finished() {
  auto& images = pipeline_.image_outcomes();
  const auto end = images.begin() + static_cast<std::ptrdiff_t>(batch_.size());
  for (auto it = images.begin(); it != end; ++it) window_.release(it->key);
  images.erase(images.begin(), end);
  oldest_outcome_ = Clock::now();
  finished_ += batch_.size();
  for (const DeliveryResult& result : delivery_batch_) delivery_tokens_.erase(result.id);
  pipeline_.delivery_outcomes().clear();
}

bool DrainerWork::may_claim() const {
  return window_.size() < static_cast<std::size_t>(config_.window);
}

// The claiming transaction: its arguments, and what it found.
struct DrainerWork::Claim {
  DrainerWork* work;
  int64 token;
  int slots;
  HeldCounts held;
  TimestampTz next_due;
};

HeldCounts DrainerWork::held_counts() const {
  const auto& held = window_.held_per_request();
  const auto size = static_cast<int>(held.size());
  auto* ids = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t) * Max(size, 1)));
  auto* counts = static_cast<int32*>(palloc(sizeof(int32) * Max(size, 1)));
  int filled = 0;
  for (const auto& [id, count] : held) {
    memcpy(ids[filled].data, id.data(), UUID_LEN);
    counts[filled++] = count;
  }
  return {ids, counts, size};
}

bool DrainerWork::claim() {
  Claim claim{this, random_token(), config_.window - static_cast<int>(window_.size()),
              held_counts(), DT_NOEND};
  look_for_work_ = false;
  const auto body = [](void* arg) {
    auto* c = static_cast<Claim*>(arg);
    DrainerWork* work = c->work;
    const int lease_ms = work->config_.lease_ms;
    const ClaimedImages images = work->queue_.claim_images(c->token, c->slots, c->held, lease_ms);
    guard([&] { work->note_claimed(*c, images); });
    const int free_slots = kDeliverySlots - static_cast<int>(work->delivery_tokens_.size());
    if (free_slots > 0) {
      const ClaimedDeliveries deliveries =
          work->queue_.claim_deliveries(c->token, free_slots, lease_ms);
      guard([&] { work->note_claimed(deliveries); });
    }
    c->next_due = work->queue_.next_due();
  };
  const TransactionEnd end = run_transaction("claiming images", body, &claim);
  note_end(end == TransactionEnd::kFailed);
  if (end == TransactionEnd::kCommitted) {
    next_due_ = claim.next_due;
    guard([&] { start_claimed(claim.token); });
  } else {
    guard([&] { claimed_images_.clear(), claimed_deliveries_.clear(); });
    look_for_work_ = true;
  }
  return end != TransactionEnd::kNotInstalled;
}

// The rows live in the transaction's memory; work on them begins when it has been committed.
void DrainerWork::note_claimed(const Claim& claim, const ClaimedImages& images) {
  for (int i = 0; i < images.count; ++i) {
    const ClaimedImage& image = images.images[i];
    HeldImage held;
    held.token = claim.token;
    memcpy(held.request_id.data(), image.request_id.data, UUID_LEN);
    held.position = image.position;
    held.history = {image.attempts, image.failed_attempts, image.codec_crashes};
    claimed_images_.emplace_back(held, ImageTask{0, image.url, image.quality});
  }
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

void DrainerWork::start_claimed(int64 token) {
  for (auto& [held, task] : claimed_images_) {
    task.key = window_.hold(held);
    pipeline_.add(std::move(task));
  }
  for (DeliveryTask& delivery : claimed_deliveries_) {
    delivery_tokens_[static_cast<int64>(delivery.key)] = token;
    pipeline_.add(std::move(delivery));
  }
  // A claim looks at a limited number of requests: full of them, it asks for another.
  std::set<RequestId> requests;
  for (const auto& claimed : claimed_images_) requests.insert(claimed.first.request_id);
  if (requests.size() >= kRequestsPerClaim) look_for_work_ = true;
  claimed_images_.clear();
  claimed_deliveries_.clear();
  pipeline_.turn(Clock::now());
}

bool DrainerWork::keep_leases() {
  const auto body = [](void* arg) {
    auto* work = static_cast<DrainerWork*>(arg);
    auto* tokens = make_in<std::vector<std::int64_t>>(CurrentMemoryContext);
    guard([&] { *tokens = work->window_.tokens(); });
    work->queue_.renew_leases(*tokens, work->config_.lease_ms);
    if (work->queue_.rescue(true) > 0) work->look_for_work_ = true;
  };
  renew_at_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), config_.lease_ms / 3);
  return run_transaction("renewing leases", body, this) != TransactionEnd::kNotInstalled;
}

// After an error (a full disk, say) every transaction waits, longer each time.
void DrainerWork::note_end(bool failed) {
  if (!failed) {
    error_pause_ms_ = 0;
    not_before_ = 0;
    return;
  }
  error_pause_ms_ =
      error_pause_ms_ == 0 ? kFirstErrorPauseMs : Min(error_pause_ms_ * 2, kLongestErrorPauseMs);
  not_before_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), error_pause_ms_);
}

long DrainerWork::nap_ms() const {
  const TimestampTz now = GetCurrentTimestamp();
  const auto until = [&](TimestampTz time) {
    return time == DT_NOEND ? kFallbackMs : TimestampDifferenceMilliseconds(now, time);
  };
  long nap = std::min({kFallbackMs, until(next_due_), until(renew_at_)});
  const TimePoint deadline = pipeline_.deadline();
  if (deadline != TimePoint::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    nap = std::min(nap, static_cast<long>(std::max<std::int64_t>(left.count(), 0)));
  }
  if (!pipeline_.image_outcomes().empty()) {
    nap = std::min(nap, static_cast<long>(kGather.count()));
  }
  if (look_for_work_ && may_claim()) nap = 0;
  return now < not_before_ ? std::min(kFallbackMs, until(not_before_)) : nap;
}

}  // namespace imgpress
