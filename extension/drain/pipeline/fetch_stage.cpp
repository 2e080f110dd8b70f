#include "drain/pipeline/fetch_stage.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/net/url.hpp"

namespace imgpress {
namespace {

using std::chrono::seconds;

// A host that asked for a pause: its images are kept this long, for a longer one they go back into
// the queue and leave their place to others.
constexpr seconds kLongestHeldPause{5};

// Back into the queue, since its host asked for a pause.
ImageOutcome postponed(const ImageTask& task, Clock::duration pause) {
  ImageOutcome outcome;
  outcome.key = task.key;
  outcome.ending = Ending::kInterrupted;
  outcome.fault = Fault::kHttpStatus;
  outcome.reason = host_of(task.url) + " asked for a pause";
  outcome.retry_after_seconds =
      static_cast<std::uint32_t>(std::chrono::ceil<seconds>(pause).count());
  return outcome;
}

ImageOutcome not_fetched(const ImageTask& task, Ending ending, const FetchResult& result) {
  ImageOutcome outcome;
  outcome.key = task.key;
  outcome.ending = ending;
  outcome.fault = result.fault;
  outcome.http_status = result.http_status;
  outcome.retry_after_seconds = result.retry_after_seconds;
  outcome.reason = result.reason;
  return outcome;
}

}  // namespace

FetchStage::FetchStage(const PipelineSettings& settings, int poll_fd, TimePoint now)
    : settings_(settings), poll_fd_(poll_fd) {
  start_fetcher(now);
}

void FetchStage::start_fetcher(TimePoint now) {
  fetcher_.start(settings_, now);
  watch(poll_fd_, fetcher_.fd());
}

void FetchStage::reconfigure(const PipelineSettings& settings) {
  settings_ = settings;
  fetcher_.reconfigure(settings);
}

void FetchStage::turn(TimePoint now, bool may_start_more, Results& results) {
  try {
    while (auto result = fetcher_.receive(now)) take_result(std::move(*result), now, results);
  } catch (const PressEnded& ended) {
    replace(ended, now, results);
  }
  for (auto host = paused_hosts_.begin(); host != paused_hosts_.end();) {
    host = host->second <= now ? paused_hosts_.erase(host) : std::next(host);
  }
  if (may_start_more && fetcher_.ready()) send_waiting(now, results);
}

void FetchStage::take_result(FetchResult result, TimePoint now, Results& results) {
  const Task task = std::move(in_flight_.extract(result.id).mapped());
  if (const auto* image = std::get_if<ImageTask>(&task.what)) {
    if (result.fault == Fault::kNone) {
      results.fetched.push_back({*image, std::move(result.body), result.body_bytes});
      return;
    }
    if (result.retry_after_seconds > 0) pause_host(task.host, result.retry_after_seconds, now);
  }
  report(task, Ending::kFailed, result, results);
}

// What became of a task, but for an image that was fetched. `ending` is of images.
void FetchStage::report(const Task& task, Ending ending, const FetchResult& result,
                        Results& results) {
  if (const auto* image = std::get_if<ImageTask>(&task.what)) {
    results.image_outcomes->push_back(not_fetched(*image, ending, result));
  } else {
    const auto& delivery = std::get<DeliveryTask>(task.what);
    results.delivery_outcomes->push_back({delivery.key, result.fault, result.http_status,
                                          result.retry_after_seconds, result.reason});
  }
}

void FetchStage::add(ImageTask task) {
  std::string host = host_of(task.url);
  waiting_.push_back({std::move(task), std::move(host)});
}

void FetchStage::add(DeliveryTask task) {
  std::string host = host_of(task.url);
  waiting_.push_back({std::move(task), std::move(host)});
}

void FetchStage::send_waiting(TimePoint now, Results& results) {
  // Each waiting task is looked at once; those that stay keep their order at the front.
  std::deque<Task> held;
  while (!waiting_.empty()) {
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    const TimePoint paused = paused_until(task, now);
    if (paused - now > kLongestHeldPause) {
      results.image_outcomes->push_back(postponed(std::get<ImageTask>(task.what), paused - now));
      continue;
    }
    if (paused > now) {
      held.push_back(std::move(task));
      continue;
    }
    const Sent sent = send(task, now);
    if (sent == Sent::kNo) {
      waiting_.push_front(std::move(task));  // full, or gone: the next turn knows
      break;
    }
    if (sent == Sent::kNever) {
      refuse(task, results);
      continue;
    }
    in_flight_.emplace(next_id_++, std::move(task));
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(held.begin()),
                  std::make_move_iterator(held.end()));
}

FetchStage::Sent FetchStage::send(const Task& task, TimePoint now) {
  try {
    const auto* image = std::get_if<ImageTask>(&task.what);
    const auto sent = image != nullptr
                          ? fetcher_.download(next_id_, image->url, now)
                          : fetcher_.deliver(next_id_, std::get<DeliveryTask>(task.what), now);
    return sent == PacketSocket::Sent::kYes ? Sent::kYes : Sent::kNo;
  } catch (const wire::WireError&) {
    return Sent::kNever;  // longer than any message may be
  }
}

void FetchStage::refuse(const Task& task, Results& results) {
  FetchResult refused;
  refused.fault = Fault::kBadUrl;
  refused.reason = "the URL is too long";
  report(task, Ending::kFailed, refused, results);
}

// The end of the pause that an image's host asked for; `now` when there is none.
TimePoint FetchStage::paused_until(const Task& task, TimePoint now) const {
  if (!std::holds_alternative<ImageTask>(task.what)) return now;
  const auto paused = paused_hosts_.find(task.host);
  return paused == paused_hosts_.end() ? now : paused->second;
}

// Nothing tells which transfer has ended the fetcher, if any has: none pays for it.
void FetchStage::replace(const PressEnded& ended, TimePoint now, Results& results) {
  FetchResult cut_short;
  cut_short.fault = ended.fault();
  cut_short.reason = ended.what();
  for (const auto& [id, task] : in_flight_) {
    report(task, Ending::kInterrupted, cut_short, results);
  }
  in_flight_.clear();
  start_fetcher(now);
}

void FetchStage::pause_host(const std::string& host, std::uint32_t pause_seconds, TimePoint now) {
  TimePoint& until = paused_hosts_[host];
  until = std::max(until, now + seconds(pause_seconds));
}

TimePoint FetchStage::deadline() const {
  TimePoint earliest = fetcher_.deadline();
  if (!waiting_.empty()) {
    for (const auto& [host, until] : paused_hosts_) earliest = std::min(earliest, until);
  }
  return earliest;
}

}  // namespace imgpress
