#include "drain/pipeline/fetch_stage.hpp"

#include <algorithm>
#include <utility>

namespace imgpress {
namespace {

// As often in a row may a fetcher end with a webhook before that counts as a failed attempt.
constexpr int kMaxInterruptions = 3;

constexpr std::chrono::seconds kHangsAfter{1};
constexpr std::chrono::milliseconds kCountPause{250};

ImageOutcome not_fetched(const ImageTask& task, Ending ending, const FetchOutcome& fetch) {
  ImageOutcome outcome;
  outcome.key = task.key;
  outcome.ending = ending;
  outcome.fault = fetch.fault;
  outcome.http_status = fetch.http_status;
  outcome.retry_after_seconds = fetch.retry_after_seconds;
  outcome.reason = fetch.reason;
  return outcome;
}

bool is_known(const ImageTask& task, const SourceVersion& version) {
  return task.known.blob_id != 0 && task.known.version.digest == version.digest;
}

// There is nothing to compress. The version that is recorded is that of a body: its validators may
// be new although its bytes are not.
ImageOutcome unchanged(const ImageTask& task, FetchOutcome fetch) {
  ImageOutcome outcome;
  outcome.key = task.key;
  outcome.http_status = fetch.http_status;
  outcome.blob_id = task.known.blob_id;
  const Validators& before = task.known.version.validators;
  const Validators& now = fetch.version.validators;
  const bool is_same = before.etag == now.etag && before.last_modified == now.last_modified;
  if (!fetch.not_modified && !is_same) outcome.source = std::move(fetch.version);
  return outcome;
}

// The validators to ask with: none if the image is to be downloaded in any case.
Validators condition_of(const ImageTask& task) {
  return task.options.refresh == Refresh::kAlways ? Validators{} : task.known.version.validators;
}

}  // namespace

FetchStage::FetchStage(const PipelineSettings& settings, int poll_fd,
                       std::shared_ptr<MemoryLedger> memory, TimePoint now)
    : settings_(settings), poll_fd_(poll_fd), memory_(std::move(memory)) {
  fetcher_.limit_memory(memory_, settings.memory_limit);
  start_fetcher(now);
}

void FetchStage::start_fetcher(TimePoint now) {
  fetcher_.start(settings_, now);
  watch(poll_fd_, fetcher_.fd());
}

void FetchStage::reconfigure(const PipelineSettings& settings) {
  settings_ = settings;
  fetcher_.reconfigure(settings);
  fetcher_.limit_memory(memory_, settings.memory_limit);
}

void FetchStage::turn(TimePoint now, Results& results) {
  try {
    while (auto outcome = fetcher_.receive(now)) take_outcome(std::move(*outcome), results);
  } catch (const PressEnded& ended) {
    replace(ended, now, results);
  }
  if (fetcher_.ready()) send_waiting(now, results);
  if (next_count_ <= now) count_hanging(now);
}

void FetchStage::count_hanging(TimePoint now) {
  next_count_ = now + kCountPause;
  hanging_ = 0;
  for (const auto& [id, one] : in_flight_) {
    if (one.since + kHangsAfter <= now && std::holds_alternative<ImageTask>(one.task)) ++hanging_;
  }
}

TimePoint FetchStage::deadline() const {
  const bool more_may_hang = in_flight_.size() > hanging_;
  return more_may_hang ? std::min(fetcher_.deadline(), next_count_) : fetcher_.deadline();
}

void FetchStage::take_outcome(FetchOutcome outcome, Results& results) {
  const Task task = std::move(in_flight_.extract(outcome.id).mapped().task);
  const auto* image = std::get_if<ImageTask>(&task);
  if (image != nullptr && outcome.fault == Fault::kNone) {
    if (outcome.not_modified || is_known(*image, outcome.version)) {
      results.image_outcomes->push_back(unchanged(*image, std::move(outcome)));
    } else {
      results.fetched.push_back({*image, outcome.http_status, std::move(outcome.body),
                                 outcome.body_bytes, false, std::move(outcome.version)});
    }
    return;
  }
  report(task, outcome.postponed ? Ending::kPostponed : Ending::kFailed, outcome, results);
}

// Reports how a task ended, except an image that was fetched. `ending` is for images only.
void FetchStage::report(const Task& task, Ending ending, const FetchOutcome& outcome,
                        Results& results) {
  if (const auto* image = std::get_if<ImageTask>(&task)) {
    results.image_outcomes->push_back(not_fetched(*image, ending, outcome));
  } else {
    results.delivery_outcomes->push_back({std::get<DeliveryTask>(task).key, outcome.fault,
                                          outcome.http_status, outcome.retry_after_seconds,
                                          outcome.reason});
  }
}

void FetchStage::send_waiting(TimePoint now, Results& results) {
  while (!waiting_.empty()) {
    try {
      // Not sent when the socket is full or the fetcher has ended; the next turn deals with both.
      if (send(waiting_.front(), now) != PacketSocket::Sent::kYes) return;
      in_flight_.emplace(next_id_++, InFlight{std::move(waiting_.front()), now});
    } catch (const wire::WireError&) {
      FetchOutcome refused;
      refused.fault = Fault::kBadUrl;
      refused.reason = "the URL is too long";
      report(waiting_.front(), Ending::kFailed, refused, results);
    }
    waiting_.pop_front();
  }
}

PacketSocket::Sent FetchStage::send(const Task& task, TimePoint now) {
  if (const auto* image = std::get_if<ImageTask>(&task)) {
    return fetcher_.download(next_id_, {image->url, condition_of(*image), image->headers}, now);
  }
  return fetcher_.deliver(next_id_, std::get<DeliveryTask>(task), now);
}

// It is not known which transfer ended the fetcher, if any did, so no image is charged for it, and
// webhooks are sent again at once, up to three times. The new fetcher does not know which hosts
// have asked for a pause; their next answers tell it again.
void FetchStage::replace(const PressEnded& ended, TimePoint now, Results& results) {
  FetchOutcome cut_short;
  cut_short.fault = ended.fault();
  cut_short.reason = ended.what();
  for (auto& [id, one] : in_flight_) {
    Task& task = one.task;
    auto* delivery = std::get_if<DeliveryTask>(&task);
    if (delivery != nullptr && ++delivery->interruptions < kMaxInterruptions) {
      waiting_.push_front(std::move(task));
    } else {
      report(task, Ending::kInterrupted, cut_short, results);
    }
  }
  in_flight_.clear();
  start_fetcher(now);
}

}  // namespace imgpress
