#include "backend/worker/drainer_work.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <iterator>
#include <set>
#include <utility>

#include "backend/bridge/boundary.hpp"
#include "backend/press_path.hpp"
#include "backend/worker/shared_state.hpp"
#include "backend/worker/worker_transaction.hpp"

namespace imgpress {
namespace {

constexpr std::size_t kBatch = 64;                 // images finished in one transaction
constexpr std::chrono::milliseconds kGather{25};   // how long a batch may take to fill up
constexpr std::chrono::milliseconds kPutOff{250};  // for images of a request that is locked
constexpr long kLookAgainMs = 250;
constexpr long kCopiesErrorPauseMs = 10 * 1000;
constexpr long kClaimPauseMs = 50;
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
  settings.accept_truncated = config.accept_truncated;
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  settings.codecs =
      static_cast<std::size_t>(config.codecs > 0 ? config.codecs : std::max(cores, 1L));
  settings.max_waiting_bytes = kMaxWaitingBytes;
  return settings;
}

RetryLimits retry_limits(const Settings& config) {
  return {config.max_attempts, config.retry_base_delay_ms, config.retry_max_delay_ms};
}

// Every image in flight holds a descriptor, and PostgreSQL needs its share.
int limit_window(const Settings& config) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return config.images_in_flight;
  const auto half = static_cast<int>(std::min<rlim_t>(files.rlim_cur / 2, INT_MAX));
  return std::min(config.images_in_flight, half);
}

}  // namespace

DrainerWork::DrainerWork(const Settings& config)
    : config_(config), pipeline_(pipeline_settings(config)), window_limit_(limit_window(config)) {}

void DrainerWork::reconfigure(const Settings& config) {
  config_ = config;
  window_limit_ = limit_window(config);
  guard([&] { pipeline_.reconfigure(pipeline_settings(config)); });
}

int64 DrainerWork::random_token() {
  int64 token = 0;
  if (!pg_strong_random(&token, sizeof(token))) elog(ERROR, "no random numbers are available");
  return token;
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
  guard([&] { turn_pipeline(); });
  const TimestampTz now = GetCurrentTimestamp();
  if (now < not_before_) return true;
  if (must_finish()) {
    const TransactionEnd end = finish();
    if (end != TransactionEnd::kCommitted) return end == TransactionEnd::kFailed;
  }
  if (copies_due_ <= now && !end_copies()) return false;
  if (!pipeline_.delivery_outcomes().empty() && !finish_deliveries()) return false;
  if (look_for_work_ || next_due_ <= now || next_look_ <= now) {
    if (may_claim()) {
      const TransactionEnd end = claim();
      if (end != TransactionEnd::kCommitted) return end == TransactionEnd::kFailed;
    } else {
      deliveries_due_ = true;  // nobody has looked
    }
    const bool deliver = deliveries_due_ && deliveries_not_before_ <= now;
    if (deliver && !claim_deliveries()) return false;
  }
  return renew_at_ > now || keep_leases();
}

void DrainerWork::turn_pipeline() {
  const TimePoint now = Clock::now();
  auto& outcomes = pipeline_.image_outcomes();
  const bool had_none = outcomes.empty();
  pipeline_.turn(now);
  if (!put_off_.empty() && put_off_until_ <= now) {
    std::move(put_off_.begin(), put_off_.end(), std::back_inserter(outcomes));
    put_off_.clear();
  }
  if (had_none) oldest_outcome_ = now;
}

// A lone image is finished at once; under load a batch shares one commit.
bool DrainerWork::must_finish() const {
  const std::size_t images = pipeline_.image_outcomes().size();
  if (images == 0) return false;
  const bool alone = images + put_off_.size() == window_.size();
  return alone || images >= kBatch || Clock::now() - oldest_outcome_ >= kGather;
}

void DrainerWork::prepare_finish() {
  batch_.clear();
  const auto& images = pipeline_.image_outcomes();
  const RetryLimits limits = retry_limits(config_);
  for (std::size_t i = 0; i < std::min(images.size(), kBatch); ++i) {
    batch_.push_back(window_.judge_outcome(images[i], limits));
  }
}

TransactionEnd DrainerWork::finish() {
  guard([&] { prepare_finish(); });
  const auto body = [](void* arg) {
    auto* work = static_cast<DrainerWork*>(arg);
    auto* images = work->batch_.data();
    work->finished_batch_ =
        work->queue_.finish_images(images, static_cast<int>(work->batch_.size()));
    guard([&] { work->ended_tokens_ = work->window_.tokens_ended_by(work->batch_); });
    if (!work->ended_tokens_.empty()) work->queue_.end_leases(work->ended_tokens_);
  };
  const TransactionEnd end = run_transaction("finishing images", body, this);
  note_end(end == TransactionEnd::kFailed);
  if (end != TransactionEnd::kCommitted) return end;
  wake_waiters_now();
  guard([&] { forget_finished(); });
  if (must_look()) {
    look_for_work_ = true;
  } else {
    const TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kClaimPauseMs);
    next_look_ = Min(next_look_, soon);
  }
  if (finished_batch_.copied) copies_due_ = 0;
  return end;
}

// A portion for each turn, so that a crowd of copies does not hold up other images; in a
// transaction of its own, so that whatever is wrong with it does not either.
bool DrainerWork::end_copies() {
  const auto body = [](void* arg) {
    auto* work = static_cast<DrainerWork*>(arg);
    work->ended_copies_ = work->queue_.end_copies(work->ended_copies_.served);
  };
  const TransactionEnd end = run_transaction("ending copies", body, this);
  const TimestampTz now = GetCurrentTimestamp();
  if (end == TransactionEnd::kFailed) {
    copies_due_ = TimestampTzPlusMilliseconds(now, kCopiesErrorPauseMs);
  } else if (!ended_copies_.remaining) {
    copies_due_ = DT_NOEND;
  } else if (ended_copies_.images > 0) {
    copies_due_ = 0;
  } else {  // another session has locked their request
    copies_due_ = TimestampTzPlusMilliseconds(now, kLookAgainMs);
  }
  if (end != TransactionEnd::kCommitted) return end == TransactionEnd::kFailed;
  wake_waiters_now();
  finished_ += static_cast<uint64>(ended_copies_.images);
  if (ended_copies_.images > 0) look_for_work_ = true;  // a request may have ended: webhooks
  return true;
}

// A claim of few images costs nearly as much as one of many, so it waits until a quarter of what
// was held has been finished (or for kClaimPauseMs, since what is left may hang), unless something
// else is to be looked for: webhooks of an ended request, retries.
bool DrainerWork::must_look() const {
  const auto tried_again = [](const FinishedImage& image) {
    return image.verdict.kind == Verdict::Kind::kRetry;
  };
  return finished_batch_.ended || window_.size() <= enough_held_ ||
         std::any_of(batch_.begin(), batch_.end(), tried_again);
}

void DrainerWork::forget_finished() {
  auto& images = pipeline_.image_outcomes();
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if (batch_[i].put_off) {
      put_off_.push_back(std::move(images[i]));
      put_off_until_ = Clock::now() + kPutOff;
    } else {
      window_.release(images[i].key);
      ++finished_;
    }
  }
  images.erase(images.begin(), images.begin() + static_cast<std::ptrdiff_t>(batch_.size()));
  oldest_outcome_ = Clock::now();
}

int DrainerWork::free_slots() const {
  return std::max(0, window_limit_ - static_cast<int>(window_.size()));
}

// Retries get half of the window at the most: a dead origin must not starve fresh work.
int DrainerWork::free_retry_slots() const {
  return std::max(0, window_limit_ / 2 - static_cast<int>(window_.held_retries()));
}

bool DrainerWork::may_claim() const {
  return free_slots() > 0;
}

// A claiming transaction: its arguments, and what it found.
struct DrainerWork::Claim {
  DrainerWork* work;
  int64 token;
  HeldCounts held;
  NextDue next_due;
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

TransactionEnd DrainerWork::claim() {
  Claim claim{this, random_token(), held_counts(), {DT_NOEND, false, false}};
  look_for_work_ = false;
  next_look_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kFallbackMs);
  const auto body = [](void* arg) {
    auto* c = static_cast<Claim*>(arg);
    DrainerWork* work = c->work;
    const ClaimedImages images = work->queue_.claim_images(
        c->token, work->free_slots(), work->free_retry_slots(), c->held, work->config_.lease_ms);
    guard([&] { work->note_claimed(*c, images); });
    c->next_due = work->queue_.next_due();
  };
  const TransactionEnd end = run_transaction("claiming images", body, &claim);
  note_end(end == TransactionEnd::kFailed);
  if (end == TransactionEnd::kCommitted) {
    // What is due and was not claimed (no slot is free for it, or somebody has locked it) is looked
    // at again a little later, not at once.
    next_due_ =
        Max(claim.next_due.at, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kLookAgainMs));
    if (claim.next_due.copies && copies_due_ == DT_NOEND) copies_due_ = 0;
    deliveries_due_ = claim.next_due.deliveries;
    guard([&] { start_claimed(); });
  } else {
    guard([&] { claimed_images_.clear(); });
    look_for_work_ = true;
  }
  return end;
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
    claimed_images_.emplace_back(
        held, ImageTask{0, image.url, image.quality, parse_effort(image.effort).value()});
  }
}

void DrainerWork::start_claimed() {
  // A claim looks at a limited number of requests: full of them, it asks for another.
  std::set<RequestId> requests;
  for (auto& [held, task] : claimed_images_) {
    requests.insert(held.request_id);
    task.key = window_.hold(held);
    pipeline_.add(std::move(task));
  }
  if (requests.size() >= kRequestsPerClaim) look_for_work_ = true;
  claimed_images_.clear();
  enough_held_ = window_.size() * 3 / 4;
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
  if (now < not_before_) return TimestampDifferenceMilliseconds(now, not_before_);
  if (look_for_work_ && may_claim()) return 0;
  TimestampTz wake = Min(Min(renew_at_, next_look_), copies_due_);
  if (may_claim()) wake = Min(wake, next_due_);
  long nap = Max(TimestampDifferenceMilliseconds(now, wake), 0L);
  TimePoint deadline = pipeline_.deadline();
  if (!put_off_.empty()) deadline = std::min(deadline, put_off_until_);
  if (deadline != TimePoint::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    nap = std::min(nap, static_cast<long>(std::max<std::int64_t>(left.count(), 0)));
  }
  if (!pipeline_.image_outcomes().empty()) nap = std::min(nap, static_cast<long>(kGather.count()));
  return nap;
}

}  // namespace imgpress
