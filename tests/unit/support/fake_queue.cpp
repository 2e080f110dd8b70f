#include "support/fake_queue.hpp"

#include <algorithm>
#include <stdexcept>

namespace imgpress::test {
namespace {

std::size_t size_of(const Call& call) {
  if (const auto* finish = std::get_if<FinishCall>(&call)) return finish->images.size();
  if (const auto* finish = std::get_if<FinishDeliveriesCall>(&call)) {
    return finish->deliveries.size();
  }
  return 0;
}

bool is_waiting(const FakeQueue::Webhook& webhook) {
  return !webhook.delivered && !webhook.given_up && webhook.token == 0;
}

}  // namespace

void FakeQueue::add_request(std::uint8_t id, int count) {
  for (int image_no = 1; image_no <= count; ++image_no) {
    Image image;
    image.request_id[0] = id;
    image.image_no = image_no;
    images.push_back(image);
  }
}

int FakeQueue::count(State state) const {
  return static_cast<int>(std::count_if(images.begin(), images.end(),
                                        [&](const Image& image) { return image.state == state; }));
}

void FakeQueue::submit(const Call& call) {
  if (ended_) throw std::logic_error("two calls at once");
  log.push_back({call.index(), clock_.now(), size_of(call)});
  if (on_submit) on_submit(call);
  clock_.pass(takes);
  Ended ended{CallEnd::kCommitted, {}};
  bool applied = true;
  auto& planned = next_ends_[call.index()];
  if (!installed) {
    ended.end = CallEnd::kNotInstalled;
    applied = false;
  } else if (failing_.count(call.index()) > 0) {
    ended.end = CallEnd::kFailed;
    applied = false;
  } else if (!planned.empty()) {
    std::tie(ended.end, applied) = planned.front();
    planned.erase(planned.begin());
  }
  if (applied) {
    std::visit([&](const auto& c) { ended.answer = carry_out(c); }, call);
  }
  ended_ = std::move(ended);
  completed_ = false;
}

std::optional<Ended> FakeQueue::poll() {
  if (async && !completed_) return std::nullopt;
  return std::exchange(ended_, std::nullopt);
}

RescueAnswer FakeQueue::carry_out(const RescueCall& call) {
  rescues.push_back(call);
  for (Image& image : images) {
    if (image.state != State::kHeld) continue;
    image.state = State::kRetry;
    image.retry_at = clock_.now();
  }
  for (Webhook& webhook : webhooks) webhook.token = 0;
  return {};
}

RenewAnswer FakeQueue::carry_out(const RenewCall& call) {
  renewals.push_back(call);
  return {std::exchange(others_ended, false)};
}

ReleaseAnswer FakeQueue::carry_out(const ReleaseCall& call) {
  releases.push_back(call);
  for (Image& image : images) {
    const bool named =
        std::find(call.tokens.begin(), call.tokens.end(), image.token) != call.tokens.end();
    if (image.state != State::kHeld || !named) continue;
    image.state = State::kRetry;
    image.retry_at = clock_.now();
    --image.history.attempts;
  }
  for (Webhook& webhook : webhooks) {
    const bool named =
        std::find(call.tokens.begin(), call.tokens.end(), webhook.token) != call.tokens.end();
    if (!named) continue;
    webhook.token = 0;
    webhook.due = clock_.now();
    --webhook.attempts;
  }
  return {};
}

void FakeQueue::record(Image& image, const FinishedImage& outcome, TimePoint now) {
  ++image.times_recorded;
  image.token = 0;
  image.history.failed_attempts = outcome.verdict.failed_attempts;
  image.history.codec_crashes = outcome.verdict.codec_crashes;
  image.history.interruptions = outcome.verdict.interruptions;
  image.history.alone = image.history.interruptions >= 3;
  if (!outcome.verdict.counted) --image.history.attempts;
  image.output_bytes = outcome.output_bytes;
  image.state = outcome.verdict.kind == Verdict::Kind::kDone    ? State::kDone
                : outcome.verdict.kind == Verdict::Kind::kRetry ? State::kRetry
                                                                : State::kFailed;
  image.retry_at = now + Milliseconds(outcome.verdict.retry_delay_ms);
}

FinishAnswer FakeQueue::carry_out(const FinishCall& call) {
  FinishAnswer answer;
  for (std::size_t i = 0; i < call.images.size(); ++i) {
    const FinishedImage& outcome = call.images[i];
    for (Image& image : images) {
      if (image.request_id != outcome.request_id || image.image_no != outcome.image_no) continue;
      if (image.state != State::kHeld || image.token != outcome.token) continue;
      if (image.locked) {
        answer.put_off.push_back(i);
      } else {
        record(image, outcome, clock_.now());
      }
    }
  }
  answer.ended = count(State::kDone) + count(State::kFailed) == static_cast<int>(images.size());
  return answer;
}

// Retries first, then new images, up to the number of slots. An idle drainer is given an image that
// must be alone, and no other.
ClaimAnswer FakeQueue::carry_out(const ClaimCall& call) {
  claims.push_back(call);
  ClaimAnswer answer;
  int retries = 0;
  const auto claim = [&](Image& image) {
    image.state = State::kHeld;
    image.token = call.token;
    ++image.history.attempts;
    answer.images.push_back({image.request_id, image.image_no, "http://a/", {}, image.history});
  };
  const auto has_slot = [&] {
    return static_cast<int>(answer.images.size()) < std::min(call.slots, claims_at_most);
  };
  const auto is_due = [&](const Image& image, bool alone) {
    return image.state == State::kRetry && image.retry_at <= clock_.now() &&
           image.history.alone == alone;
  };
  const auto lone = std::find_if(images.begin(), images.end(), [&](const Image& image) {
    return call.idle && is_due(image, true) && !image.locked;
  });
  if (lone != images.end()) claim(*lone);
  const bool others = lone == images.end();
  for (Image& image : images) {
    if (!others || !is_due(image, false) || retries == call.retry_slots || !has_slot()) continue;
    ++retries;
    claim(image);
  }
  for (Image& image : images) {
    if (others && image.state == State::kFresh && has_slot()) claim(image);
  }
  answer.more = others && call.slots > claims_at_most && count(State::kFresh) > 0;
  answer.due_in = image_due_in(false);
  answer.lone_due_in = image_due_in(true);
  answer.delivery_due_in = delivery_due_in();
  return answer;
}

std::optional<Milliseconds> FakeQueue::left_until(std::optional<TimePoint> moment) const {
  if (!moment) return std::nullopt;
  return std::max(std::chrono::ceil<Milliseconds>(*moment - clock_.now()), Milliseconds(0));
}

std::optional<Milliseconds> FakeQueue::image_due_in(bool alone) const {
  std::optional<TimePoint> first;
  for (const Image& image : images) {
    if (image.state == State::kRetry && image.history.alone == alone)
      first = std::min(first.value_or(image.retry_at), image.retry_at);
  }
  return left_until(first);
}

std::optional<Milliseconds> FakeQueue::delivery_due_in() const {
  std::optional<TimePoint> first;
  for (const Webhook& webhook : webhooks) {
    if (is_waiting(webhook)) first = std::min(first.value_or(webhook.due), webhook.due);
  }
  return left_until(first);
}

ClaimDeliveriesAnswer FakeQueue::carry_out(const ClaimDeliveriesCall& call) {
  ClaimDeliveriesAnswer answer;
  for (Webhook& webhook : webhooks) {
    if (!is_waiting(webhook) || webhook.due > clock_.now()) continue;
    if (static_cast<int>(answer.deliveries.size()) == call.slots) break;
    webhook.token = call.token;
    ++webhook.attempts;
    answer.deliveries.push_back({webhook.id, "http://a/hook", "{}", {}, webhook.attempts});
  }
  answer.due_in = delivery_due_in();
  return answer;
}

FinishDeliveriesAnswer FakeQueue::carry_out(const FinishDeliveriesCall& call) {
  FinishDeliveriesAnswer answer;
  for (std::size_t i = 0; i < call.deliveries.size(); ++i) {
    const FinishedDelivery& finished = call.deliveries[i];
    for (Webhook& webhook : webhooks) {
      if (webhook.id != finished.id || webhook.token != finished.token) continue;
      if (webhook.locked) {
        answer.put_off.push_back(i);
        continue;
      }
      webhook.token = 0;
      webhook.delivered = finished.verdict.kind == Verdict::Kind::kDone;
      webhook.given_up = finished.verdict.kind == Verdict::Kind::kGivenUp;
      webhook.due = clock_.now() + Milliseconds(finished.verdict.retry_delay_ms);
    }
  }
  return answer;
}

}  // namespace imgpress::test
