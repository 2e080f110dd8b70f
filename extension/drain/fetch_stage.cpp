#include "drain/fetch_stage.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "channel/sealed_memory.hpp"
#include "core/plain_text.hpp"
#include "core/url.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long after the longest time-out a fetcher with work may say nothing before it counts as hung.
// It keeps the time-out of each transfer itself.
constexpr seconds kGrace{10};
// A host that asked for a pause: its images are kept this long, for a longer one they go back into
// the queue and leave their place to others.
constexpr seconds kLongestHeldPause{5};

constexpr std::uint64_t kMaxWebhookAnswerBytes = 64 * 1024;

// Back into the queue, through no fault of the image's.
ImageOutcome interrupted(const ImageTask& task, Fault fault, std::string message) {
  ImageOutcome outcome;
  outcome.key = task.key;
  outcome.fault = fault;
  outcome.interrupted = true;
  outcome.message = std::move(message);
  return outcome;
}

ImageOutcome postponed(const ImageTask& task, Clock::duration pause) {
  ImageOutcome outcome =
      interrupted(task, Fault::kHttpStatus, host_of(task.url) + " asked for a pause");
  outcome.retry_after_seconds =
      static_cast<std::uint32_t>(std::chrono::ceil<seconds>(pause).count());
  return outcome;
}

}  // namespace

FetchStage::FetchStage(const PipelineSettings& settings, int poll_fd)
    : settings_(settings), poll_fd_(poll_fd) {
  start_fetcher();
}

void FetchStage::start_fetcher() {
  fetcher_ = PressProcess::start(settings_.press_path, PressProcess::Role::kFetcher);
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(poll_fd_, EPOLL_CTL_ADD, fetcher_.socket().fd(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  reconfigure(settings_);
}

void FetchStage::reconfigure(const PipelineSettings& settings) {
  settings_ = settings;
  fetcher_.socket().send(
      wire::FetcherSettings{settings.allowed_networks, settings.connections_per_host, "imgpress"});
}

void FetchStage::turn(TimePoint now, bool may_start_more, Results& results) {
  if (in_flight_.empty()) last_answer_ = now;
  if (!receive_all(now, results) || is_hung(now)) lose_fetcher(results);
  for (auto host = paused_hosts_.begin(); host != paused_hosts_.end();) {
    host = host->second <= now ? paused_hosts_.erase(host) : std::next(host);
  }
  if (may_start_more) send_waiting(now, results);
}

// Returns false when the fetcher has ended or broke the protocol.
bool FetchStage::receive_all(TimePoint now, Results& results) {
  try {
    for (;;) {
      Packet packet;
      const auto received = fetcher_.socket().receive(packet);
      if (received == PacketSocket::Received::kWouldBlock) return true;
      if (received == PacketSocket::Received::kPeerGone) return false;
      auto* reply = std::get_if<wire::FetchReply>(&packet.message);
      if (reply == nullptr) return false;
      take_reply(std::move(*reply), std::move(packet.attachment), now, results);
    }
  } catch (const std::runtime_error&) {  // WireError, unsealed memory, an id that nobody asked for
    return false;
  }
}

void FetchStage::take_reply(wire::FetchReply reply, UniqueFd body, TimePoint now,
                            Results& results) {
  const auto found = in_flight_.find(reply.id);
  if (found == in_flight_.end()) throw wire::WireError("answer to no question");
  auto* image = std::get_if<ImageTask>(&found->second.what);
  const bool has_body = image != nullptr && reply.fault == Fault::kNone;
  const std::uint64_t size = has_body ? sealed_size(body.get()) : 0;  // throws if it is no body

  const Task task = std::move(found->second);
  in_flight_.erase(found);
  last_answer_ = now;
  deaths_in_a_row_ = 0;
  if (const auto* delivery = std::get_if<DeliveryTask>(&task.what)) {
    results.delivery_outcomes->push_back({delivery->key, reply.fault,
                                          static_cast<int>(reply.http_status),
                                          reply.retry_after_seconds, plain_text(reply.message)});
    return;
  }
  const auto& fetched = std::get<ImageTask>(task.what);
  if (has_body) {
    results.fetched.push_back({fetched, std::move(body), size});
    return;
  }
  if (reply.retry_after_seconds > 0) pause_host(task.host, reply.retry_after_seconds, now);
  ImageOutcome outcome;
  outcome.key = fetched.key;
  outcome.fault = reply.fault;
  outcome.http_status = static_cast<int>(reply.http_status);
  outcome.retry_after_seconds = reply.retry_after_seconds;
  outcome.message = plain_text(reply.message);
  results.image_outcomes->push_back(std::move(outcome));
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
    const Sent sent = send(task);
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

FetchStage::Sent FetchStage::send(const Task& task) {
  wire::FetchRequest request = request_for(task);
  request.id = next_id_;
  try {
    const bool sent = fetcher_.socket().send(request) == PacketSocket::Sent::kYes;
    return sent ? Sent::kYes : Sent::kNo;
  } catch (const wire::WireError&) {
    return Sent::kNever;  // longer than any message may be
  }
}

void FetchStage::refuse(const Task& task, Results& results) {
  const char* message = "the URL is too long";
  if (const auto* image = std::get_if<ImageTask>(&task.what)) {
    ImageOutcome outcome = interrupted(*image, Fault::kBadUrl, message);
    outcome.interrupted = false;
    results.image_outcomes->push_back(std::move(outcome));
  } else {
    const auto& delivery = std::get<DeliveryTask>(task.what);
    results.delivery_outcomes->push_back({delivery.key, Fault::kBadUrl, 0, 0, message});
  }
}

bool FetchStage::is_hung(TimePoint now) const {
  return !in_flight_.empty() && now - last_answer_ >= patience();
}

milliseconds FetchStage::patience() const {
  return milliseconds(std::max(settings_.fetch_timeout_ms, settings_.webhook_timeout_ms)) + kGrace;
}

// The end of the pause that an image's host asked for; `now` when there is none.
TimePoint FetchStage::paused_until(const Task& task, TimePoint now) const {
  if (!std::holds_alternative<ImageTask>(task.what)) return now;
  const auto paused = paused_hosts_.find(task.host);
  return paused == paused_hosts_.end() ? now : paused->second;
}

void FetchStage::lose_fetcher(Results& results) {
  fetcher_.stop();
  if (++deaths_in_a_row_ >= kMaxDeathsInARow) {
    throw std::runtime_error("\"" + settings_.press_path +
                             "\" keeps ending before it has done anything");
  }
  const char* message = "the fetcher process ended while it held this";
  for (const auto& [id, task] : in_flight_) {
    if (const auto* image = std::get_if<ImageTask>(&task.what)) {
      results.image_outcomes->push_back(interrupted(*image, Fault::kPressDied, message));
    } else {
      const auto& delivery = std::get<DeliveryTask>(task.what);
      results.delivery_outcomes->push_back({delivery.key, Fault::kPressDied, 0, 0, message});
    }
  }
  in_flight_.clear();
  start_fetcher();
}

void FetchStage::pause_host(const std::string& host, std::uint32_t pause_seconds, TimePoint now) {
  TimePoint& until = paused_hosts_[host];
  until = std::max(until, now + seconds(pause_seconds));
}

wire::FetchRequest FetchStage::request_for(const Task& task) const {
  wire::FetchRequest request;
  request.connect_timeout_ms = settings_.connect_timeout_ms;
  if (const auto* image = std::get_if<ImageTask>(&task.what)) {
    request.url = image->url;
    request.max_bytes = settings_.max_image_bytes;
    request.timeout_ms = settings_.fetch_timeout_ms;
    return request;
  }
  const auto& delivery = std::get<DeliveryTask>(task.what);
  request.method = wire::Method::kPost;
  request.url = delivery.url;
  request.headers = delivery.headers;
  request.body = delivery.body;
  request.max_bytes = kMaxWebhookAnswerBytes;
  request.timeout_ms = settings_.webhook_timeout_ms;
  return request;
}

TimePoint FetchStage::deadline() const {
  TimePoint earliest = in_flight_.empty() ? TimePoint::max() : last_answer_ + patience();
  if (!waiting_.empty()) {
    for (const auto& [host, until] : paused_hosts_) earliest = std::min(earliest, until);
  }
  return earliest;
}

}  // namespace imgpress
