#include "drain/drainer.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kBlockedPause{250};  // when something is due but cannot be claimed
constexpr seconds kLockedPause{1};        // when a lease, or an image that must be alone, is locked
constexpr milliseconds kClaimPause{100};  // longest wait for a claim to become worth its cost
constexpr milliseconds kFirstErrorPause{500};
constexpr seconds kLongestErrorPause{5};
// What an idle drainer claims first; one request gets half of it. The presses then begin with these
// while the drainer claims the others.
constexpr int kFirstSlots = 32;
// Something may be committed without waking the drainer, COMMIT PREPARED for instance.
constexpr seconds kFallbackPause{60};

// A change of a rule for a host wakes the drainer, and so does much else.
constexpr milliseconds kLeastHostRulesAge{250};

constexpr TimePoint kNow{};
constexpr TimePoint kNever = TimePoint::max();

template <typename T, std::size_t I = 0>
constexpr std::size_t kind_of() {
  if constexpr (std::is_same_v<std::variant_alternative_t<I, Call>, T>) {
    return I;
  } else {
    return kind_of<T, I + 1>();
  }
}

constexpr std::size_t kRescue = kind_of<RescueCall>();
constexpr std::size_t kRenew = kind_of<RenewCall>();
constexpr std::size_t kRelease = kind_of<ReleaseCall>();
constexpr std::size_t kFinish = kind_of<FinishCall>();
constexpr std::size_t kFinishDeliveries = kind_of<FinishDeliveriesCall>();
constexpr std::size_t kHostRules = kind_of<HostRulesCall>();
constexpr std::size_t kClaim = kind_of<ClaimCall>();
constexpr std::size_t kClaimDeliveries = kind_of<ClaimDeliveriesCall>();

// Identifies a lease. Random, so that no two drainers use the same one.
std::int64_t random_token() {
  std::int64_t token = 0;
  if (::getrandom(&token, sizeof token, 0) != sizeof token) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return token;
}

}  // namespace

Drainer::Drainer(int number, DrainerSettings settings, Queue& queue, Pipeline& pipeline, Now now)
    : number_(number),
      settings_(std::move(settings)),
      queue_(queue),
      pipeline_(pipeline),
      now_(std::move(now)) {}

void Drainer::reconfigure(DrainerSettings settings) {
  settings_ = std::move(settings);
  renew_at_ = std::min<TimePoint>(renew_at_, now_() + settings_.lease / 3);
  pauses_ = {};  // the new settings may be the remedy
  pipeline_.reconfigure(settings_.pipeline, now_());
}

void Drainer::expect_work() {
  if (!rescued_) pauses_[kRescue].until = {};  // the extension may just have been updated
  claim_wanted_ = true;
  deliveries_wanted_ = true;
  read_host_rules_at_ =
      std::min<TimePoint>(read_host_rules_at_, host_rules_read_at_ + kLeastHostRulesAge);
}

bool Drainer::turn() {
  pipeline_.turn(now_());
  take_outcomes();
  if (!call_) begin_next_call();
  const bool installed = !call_ || take_answer();
  take_outcomes();  // take_answer() has turned the pipeline, and nothing else would report these
  return installed;
}

void Drainer::take_outcomes() {
  const TimePoint now = now_();
  const std::size_t hung_before = std::exchange(hanging_, pipeline_.hanging());
  if (hanging_ > hung_before) claim_wanted_ = true;  // there are more slots
  for (ImageOutcome& outcome : pipeline_.take_image_outcomes()) {
    if (outcome.key == lone_key_) {
      lone_key_ = 0;
      no_lone_before_ = now + (now - lone_since_);
      claim_wanted_ = true;
    }
    ended_.add(window_.judge(std::move(outcome), settings_.retry, unit_random()), now);
    // A claim of few images costs nearly as much as one of many. So it waits until three eighths of
    // them have ended, or for kClaimPause, because the others may be slow.
    next_claim_ = std::min<TimePoint>(next_claim_, now + kClaimPause);
    if (under_way() <= refill_below_) claim_wanted_ = true;
  }
  ended_.resume(now);
  for (DeliveryOutcome& outcome : pipeline_.take_delivery_outcomes()) {
    deliveries_.judge(std::move(outcome), settings_.webhook_retry_delays_ms, unit_random());
  }
}

double Drainer::unit_random() {
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

void Drainer::begin_next_call() {
  const TimePoint now = now_();
  for (std::size_t i = 1; i <= kKinds; ++i) {
    const std::size_t kind = (last_kind_ + i) % kKinds;
    if (due_at(kind) > now) continue;
    last_kind_ = kind;
    call_ = make_call(kind);
    queue_.submit(*call_);
    absence_ = std::max(now_() - now, absence_ * 7 / 8);
    pipeline_.expect_absence(absence_);
    return;
  }
}

bool Drainer::take_answer() {
  std::optional<Ended> ended = queue_.poll();
  if (!ended) return true;
  Call call = std::move(*call_);
  call_.reset();
  if (ended->end == CallEnd::kCommitted) {
    pauses_[call.index()] = {};
    std::visit(
        [&](auto& c) {
          using ItsAnswer = typename std::decay_t<decltype(c)>::Answer;
          take(c, std::get<ItsAnswer>(ended->answer));
        },
        call);
    return true;
  }
  undo(call, ended->end);
  if (ended->end == CallEnd::kNotInstalled) return false;
  note_failure(call.index(), ended->end);
  return true;
}

void Drainer::note_failure(std::size_t kind, CallEnd end) {
  Pause& pause = pauses_[kind];
  // A lock is soon gone, and waiting for it was a pause already.
  pause.length = pause.length == Clock::duration::zero() || end == CallEnd::kBlocked
                     ? kFirstErrorPause
                     : std::min<Clock::duration>(pause.length * 2, kLongestErrorPause);
  pause.until = now_() + pause.length;
}

TimePoint Drainer::deadline() const {
  TimePoint earliest = std::min(pipeline_.deadline(), ended_.resumes_at());
  if (call_) return earliest;  // the queue wakes the owner when it has ended
  for (std::size_t kind = 0; kind < kKinds; ++kind) earliest = std::min(earliest, due_at(kind));
  return earliest;
}

TimePoint Drainer::due_at(std::size_t kind) const {
  if (!rescued_ && kind != kRescue) return kNever;
  return std::max(wanted_at(kind), paused_until(kind));
}

TimePoint Drainer::wanted_at(std::size_t kind) const {
  switch (kind) {
    case kRescue:
      return rescued_ ? kNever : kNow;
    case kRenew:
      return renew_at_;
    case kRelease:
      return lost_tokens_.empty() ? kNever : kNow;
    case kFinish:
      return ended_.due(window_.size());
    case kFinishDeliveries:
      return deliveries_.due();
    case kHostRules:
      return pipeline_.ready() ? read_host_rules_at_ : kNever;
    case kClaim:
      return claim_due_at();
    default:
      return claim_deliveries_due_at();
  }
}

// A failing kind of call does not hold up the others, with one exception: while any call about
// images fails, the database is in trouble (a full disk, perhaps), and no more images are claimed.
TimePoint Drainer::paused_until(std::size_t kind) const {
  TimePoint until = pauses_[kind].until;
  if (kind != kClaim) return until;
  for (const std::size_t other : {kRescue, kRenew, kRelease, kFinish}) {
    until = std::max(until, pauses_[other].until);
  }
  return until;
}

TimePoint Drainer::claim_due_at() const {
  if (free_slots() == 0 || !pipeline_.ready()) return kNever;
  if (claim_wanted_) return kNow;
  return std::min({next_retry_, next_claim_, std::max(next_lone_, no_lone_before_)});
}

// A claim of images reports when a webhook is due. While the window is full and no images are
// claimed, webhooks are claimed without knowing of one.
TimePoint Drainer::claim_deliveries_due_at() const {
  if (deliveries_.free_slots() == 0 || !pipeline_.ready()) return kNever;
  const bool look = deliveries_wanted_ && free_slots() == 0;
  return look ? kNow : next_delivery_;
}

std::size_t Drainer::under_way() const {
  return window_.size() - ended_.size();
}

bool Drainer::is_idle() const {
  return under_way() == 0;
}

bool Drainer::lone_is_due() const {
  return std::max(next_lone_, no_lone_before_) <= now_();
}

// Images that wait to be recorded or whose downloads hang take no slot, so that they hold up no
// others, unless they are very many.
int Drainer::free_slots() const {
  if (lone_key_ != 0 || (lone_is_due() && !is_idle())) return 0;
  const int most = settings_.images_in_flight;
  const int idle = std::min(static_cast<int>(ended_.without_place() + hanging_), most);
  return std::max(0, most + idle - static_cast<int>(window_.size()));
}

// Retries get at most half of the window: a host that is down must not starve new images. As many
// again may have locked rows, so that they hold up no other retries.
int Drainer::free_retry_slots() const {
  const int most = settings_.images_in_flight / 2;
  const auto& put_off = ended_.locked();
  const auto locked =
      std::count_if(put_off.begin(), put_off.end(),
                    [&](const FinishedImage& image) { return window_.is_retry(image.key); });
  const int idle = std::min(static_cast<int>(locked), most);
  return std::max(0, most + idle - static_cast<int>(window_.held_retries()));
}

Call Drainer::make_call(std::size_t kind) {
  switch (kind) {
    case kRescue:
      return RescueCall{number_};
    case kRenew:
      return make_renew();
    case kRelease:
      return ReleaseCall{lost_tokens_};
    case kFinish:
      return FinishCall{ended_.take_batch()};
    case kFinishDeliveries:
      return FinishDeliveriesCall{deliveries_.due_now(now_())};
    case kHostRules:
      return make_read_host_rules();
    case kClaim:
      return make_claim();
    default:
      return make_claim_deliveries();
  }
}

RenewCall Drainer::make_renew() {
  renew_at_ = now_() + settings_.lease / 3;
  std::vector<std::int64_t> tokens = window_.tokens();
  const std::vector<std::int64_t> of_deliveries = deliveries_.tokens();
  tokens.insert(tokens.end(), of_deliveries.begin(), of_deliveries.end());
  return {std::move(tokens), settings_.lease};
}

HostRulesCall Drainer::make_read_host_rules() {
  host_rules_read_at_ = now_();
  read_host_rules_at_ = host_rules_read_at_ + kFallbackPause;
  return {};
}

ClaimCall Drainer::make_claim() {
  claim_wanted_ = false;
  next_claim_ = now_() + kFallbackPause;
  const auto& held = window_.held_per_request();
  const bool may_take_lone = is_idle() && no_lone_before_ <= now_();
  const int slots = is_idle() ? std::min(free_slots(), kFirstSlots) : free_slots();
  return {number_,         random_token(), slots, free_retry_slots(), {held.begin(), held.end()},
          settings_.lease, may_take_lone};
}

ClaimDeliveriesCall Drainer::make_claim_deliveries() {
  deliveries_wanted_ = false;
  return {number_, random_token(), deliveries_.free_slots(), settings_.lease,
          deliveries_.under_way()};
}

void Drainer::take(RescueCall&, RescueAnswer&) {
  rescued_ = true;
}

void Drainer::take(RenewCall&, RenewAnswer& answer) {
  if (answer.rescued) expect_work();
  if (answer.blocked) renew_at_ = std::min<TimePoint>(renew_at_, now_() + kLockedPause);
}

void Drainer::take(ReleaseCall&, ReleaseAnswer&) {
  lost_tokens_.clear();
  claim_wanted_ = true;
}

void Drainer::take(FinishCall& call, FinishAnswer& answer) {
  const TimePoint now = now_();
  auto next_put_off = answer.put_off.begin();
  bool any_retry = false;
  for (std::size_t i = 0; i < call.images.size(); ++i) {
    FinishedImage& image = call.images[i];
    if (next_put_off != answer.put_off.end() && *next_put_off == i) {
      ++next_put_off;
      ended_.put_off(std::move(image), now);
      continue;
    }
    any_retry = any_retry || image.verdict.kind == Verdict::Kind::kRetry;
    window_.release(image.key);
    ++finished_;
  }
  ended_.note_recorded(now);
  // A claim also tells when retries and webhooks are due. If there may be new ones, it does not
  // wait for more free slots, nor if there is nothing else to do: the queue may have given images
  // back.
  if (answer.ended) deliveries_wanted_ = true;
  if (answer.ended || any_retry || window_.size() == 0) claim_wanted_ = true;
  next_claim_ = std::min<TimePoint>(next_claim_, now + kClaimPause);
}

void Drainer::take(FinishDeliveriesCall& call, FinishDeliveriesAnswer& answer) {
  deliveries_.note_recorded(call, answer, now_());
  expect_work();  // slots are free, and retries may be due
}

void Drainer::take(HostRulesCall&, HostRulesAnswer& answer) {
  if (answer.changes_in) {
    const TimePoint change =
        now_() + std::max<Milliseconds>(*answer.changes_in, kLeastHostRulesAge);
    read_host_rules_at_ = std::min(read_host_rules_at_, change);
  }
  pipeline_.set_host_rules(std::move(answer.rules));
}

// Work begins only now that the claim is committed: before, the images might not be ours.
void Drainer::take(ClaimCall& call, ClaimAnswer& answer) {
  const TimePoint now = now_();
  for (ClaimedImage& image : answer.images) {
    const std::uint64_t key = window_.hold(call.token, image);
    if (image.history.alone) {
      lone_key_ = key;
      lone_since_ = now;
    }
    pipeline_.add(ImageTask{key, std::move(image.url), image.options, std::move(image.known),
                            std::move(image.headers)});
  }
  if (answer.images.empty()) no_lone_before_ = now;  // no other image waits for its turn
  // If an idle drainer was given none that is due, the row is locked.
  const Milliseconds least = call.idle && lone_key_ == 0 ? kLockedPause : Milliseconds(0);
  next_lone_ = answer.lone_due_in ? now + std::max(*answer.lone_due_in, least) : kNever;
  refill_below_ = under_way() * 5 / 8;
  const std::size_t claimed = answer.images.size();
  const bool others_wait = claimed == under_way() && claimed >= kFirstSlots / 2;
  if ((answer.more && claimed > 0) || others_wait) claim_wanted_ = true;
  // An image that is due but was not claimed has a locked row or found no free slot: claiming again
  // at once would not help.
  next_retry_ =
      answer.due_in ? now + std::max<Milliseconds>(*answer.due_in, kBlockedPause) : kNever;
  next_delivery_ = answer.delivery_due_in ? now + *answer.delivery_due_in : kNever;
  deliveries_wanted_ = false;
  pipeline_.turn(now);
}

void Drainer::take(ClaimDeliveriesCall& call, ClaimDeliveriesAnswer& answer) {
  const TimePoint now = now_();
  const bool found = !answer.deliveries.empty();
  deliveries_.start(call.token, std::move(answer.deliveries), pipeline_);
  next_delivery_ = kNever;
  if (answer.due_in) {
    // If one is due but none was claimed, its row is locked: claiming again at once would not help.
    next_delivery_ =
        now + (found ? *answer.due_in : std::max<Milliseconds>(*answer.due_in, kBlockedPause));
  }
  pipeline_.turn(now);
}

// What the call would have done is done later: by repeating it, or by releasing a claim that may
// have been committed.
void Drainer::undo(Call& call, CallEnd end) {
  if (auto* finish = std::get_if<FinishCall>(&call)) {
    ended_.take_back(std::move(finish->images));
  } else if (auto* claim = std::get_if<ClaimCall>(&call)) {
    claim_wanted_ = true;
    if (end == CallEnd::kUnknown) lost_tokens_.push_back(claim->token);
  } else if (auto* deliveries = std::get_if<ClaimDeliveriesCall>(&call)) {
    if (end == CallEnd::kUnknown) lost_tokens_.push_back(deliveries->token);
  } else if (std::holds_alternative<RenewCall>(call)) {
    renew_at_ = kNow;
  } else if (std::holds_alternative<HostRulesCall>(call)) {
    read_host_rules_at_ = kNow;
  }
}

}  // namespace imgpress
