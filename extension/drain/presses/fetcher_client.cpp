#include "drain/presses/fetcher_client.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "channel/file_stamp.hpp"
#include "channel/sealed_memory.hpp"
#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

// The fetcher itself ends each transfer that takes too long. If it has work and still sends no
// answer for the longest time-out and this, it counts as hung. More than it may hold a transfer
// back because its host asked for a pause (5 s).
constexpr std::chrono::seconds kGrace{10};

// How often the files that a fetcher reads are compared with those that it has seen.
constexpr std::chrono::seconds kFileCheckPause{1};
// Former fetchers that still have transfers; of more, the oldest gives its own back.
constexpr std::size_t kMostFormer = 2;
// The fetcher hears of less free memory than this share of the limit only when it is short of some.
constexpr std::int64_t kGrantShare = 64;
constexpr std::chrono::milliseconds kTellPause{5};
// A fetcher reports its use of memory when it becomes short of some, when it no longer is, and else
// twice a second. One that reports this often in a second wants to keep its owner busy.
constexpr int kFloodOfReports = 10'000;

// As many rules for hosts fit into a message, whatever their names.
constexpr std::size_t kRulesAtOnce = 200;

constexpr std::uint64_t kMaxWebhookAnswerBytes = 64 << 10;
constexpr std::size_t kDigestBytes = 32;

// A fetcher that somebody has taken over may say anything; this goes to the database.
SourceVersion version_of(const wire::FetchReply& reply) {
  const bool is_fit = reply.digest.size() == kDigestBytes &&
                      (reply.etag.empty() || is_entity_tag(reply.etag)) &&
                      (reply.last_modified.empty() || is_modification_date(reply.last_modified));
  if (!is_fit) throw wire::WireError("a version that no origin gives");
  return {reply.digest, {reply.etag, reply.last_modified}};
}

TimePoint answer_due(const PressSettings& settings, TimePoint now) {
  const auto longest = std::max(settings.fetch_timeout_ms, settings.webhook_timeout_ms);
  return now + std::chrono::milliseconds(longest) + kGrace;
}

}  // namespace

void FetcherClient::start(const PressSettings& settings, TimePoint now) {
  former_.clear();
  given_back_.clear();
  current_->in_flight.clear();
  settings_ = settings;
  poll_ = make_poll();
  start_process(now);
}

void FetcherClient::start_process(TimePoint now) {
  current_->arguments = press_arguments(PressRole::kFetcher, settings_);
  current_->press.start(PressRole::kFetcher, settings_, now);
  watch(poll_.get(), current_->press.fd());
  current_->memory = {};
  settings_are_sent_ = false;
  host_rules_sent_ = 0;
  host_rules_are_new_ = !host_rules_.empty();
  reconfigure(settings_);
}

void FetcherClient::stop() {
  former_.clear();
  current_->press.stop();
}

void FetcherClient::reconfigure(const PressSettings& settings) {
  settings_ = settings;
  std::string encoded = wire::encode(fetcher_settings());
  settings_are_sent_ = settings_are_sent_ && encoded == encoded_settings_;
  encoded_settings_ = std::move(encoded);
  if (running()) send_settings();  // if the socket is full, they are sent before the next transfer
}

void FetcherClient::set_host_rules(std::vector<HostRule> rules) {
  if (rules == host_rules_) return;
  host_rules_ = std::move(rules);
  host_rules_sent_ = 0;
  host_rules_are_new_ = true;
  if (running()) send_settings();
}

wire::FetcherSettings FetcherClient::fetcher_settings() const {
  return {settings_.allowed_networks, settings_.host_limits, settings_.user_agent,
          settings_.request_headers, settings_.reports_hosts};
}

void FetcherClient::limit_memory(std::shared_ptr<MemoryLedger> ledger, std::uint64_t bytes) {
  ledger_ = std::move(ledger);
  memory_limit_ = bytes;
}

// A former fetcher still uses some of the memory.
wire::MemoryGrant FetcherClient::memory_grant(const Fetcher& fetcher) const {
  const std::uint64_t others = memory_use() - fetcher.memory.use.bytes;
  return {
      fetcher.memory.received,
      static_cast<std::int64_t>(memory_limit_) - static_cast<std::int64_t>(ledger_->held + others),
      ledger_->held == ledger_->set_aside};
}

bool FetcherClient::must_tell_memory(const Fetcher& fetcher) const {
  if (!ledger_ || !fetcher.press.running()) return false;
  if (!fetcher.memory.granted) return true;
  const wire::MemoryGrant now = memory_grant(fetcher);
  const wire::MemoryGrant& told = *fetcher.memory.granted;
  // What it may have used in all, since its start.
  const std::int64_t more =
      now.room - told.room + static_cast<std::int64_t>(now.received - told.received);
  if (std::abs(more) > static_cast<std::int64_t>(memory_limit_) / kGrantShare) return true;
  if (!fetcher.memory.use.is_short) return false;
  return more != 0 || (now.idle && (!told.idle || now.received != told.received));
}

void FetcherClient::tell_memory(Fetcher& fetcher, TimePoint now) {
  if (!must_tell_memory(fetcher) || now < fetcher.memory.tell_again) return;
  const wire::MemoryGrant grant = memory_grant(fetcher);
  if (fetcher.press.send(grant) == PacketSocket::Sent::kYes) {
    fetcher.memory.granted = grant;
  } else {
    fetcher.memory.tell_again = now + kTellPause;
  }
}

void FetcherClient::tell_memory(TimePoint now) {
  tell_memory(*current_, now);
  for (const auto& fetcher : former_) tell_memory(*fetcher, now);
}

TimePoint FetcherClient::memory_deadline(const Fetcher& fetcher) const {
  return must_tell_memory(fetcher) ? fetcher.memory.tell_again : TimePoint::max();
}

std::uint64_t FetcherClient::memory_use() const {
  std::uint64_t sum = current_->memory.use.bytes;
  for (const auto& fetcher : former_) sum += fetcher->memory.use.bytes;
  return sum;
}

PacketSocket::Sent FetcherClient::send_settings() {
  if (settings_are_sent_) return send_host_rules();
  const auto sent = current_->press.send(fetcher_settings());
  settings_are_sent_ = sent == PacketSocket::Sent::kYes;
  return settings_are_sent_ ? send_host_rules() : sent;
}

PacketSocket::Sent FetcherClient::send_host_rules() {
  while (host_rules_are_new_) {
    const auto begin = host_rules_.begin() + static_cast<std::ptrdiff_t>(host_rules_sent_);
    const std::size_t count = std::min(kRulesAtOnce, host_rules_.size() - host_rules_sent_);
    const wire::HostRules part{host_rules_sent_ == 0,
                               {begin, begin + static_cast<std::ptrdiff_t>(count)}};
    const auto sent = current_->press.send(part);
    if (sent != PacketSocket::Sent::kYes) return sent;
    host_rules_sent_ += count;
    host_rules_are_new_ = host_rules_sent_ < host_rules_.size();
  }
  return PacketSocket::Sent::kYes;
}

PacketSocket::Sent FetcherClient::download(std::uint64_t id, const Download& download,
                                           TimePoint now) {
  wire::FetchRequest request;
  request.id = id;
  request.url = download.url;
  request.headers = download.headers;
  request.max_bytes = static_cast<std::uint64_t>(settings_.max_image_bytes);
  request.timeout_ms = static_cast<std::uint32_t>(settings_.fetch_timeout_ms);
  request.etag = download.validators.etag;
  request.last_modified = download.validators.last_modified;
  return send(std::move(request), now);
}

PacketSocket::Sent FetcherClient::deliver(std::uint64_t id, const DeliveryTask& delivery,
                                          TimePoint now) {
  wire::FetchRequest request;
  request.id = id;
  request.method = wire::Method::kPost;
  request.url = delivery.url;
  request.headers = delivery.headers;
  request.body = delivery.body;
  request.max_bytes = kMaxWebhookAnswerBytes;
  request.timeout_ms = static_cast<std::uint32_t>(settings_.webhook_timeout_ms);
  return send(std::move(request), now);
}

PacketSocket::Sent FetcherClient::send(wire::FetchRequest request, TimePoint now) {
  if (is_outdated(now)) replace(now);
  auto sent = send_settings();
  if (sent != PacketSocket::Sent::kYes) return sent;
  tell_memory(*current_, now);
  if (ledger_ && !current_->memory.granted) return PacketSocket::Sent::kWouldBlock;
  request.connect_timeout_ms = static_cast<std::uint32_t>(settings_.connect_timeout_ms);
  sent = current_->press.send(request);
  if (sent != PacketSocket::Sent::kYes) return sent;
  if (current_->in_flight.empty()) current_->answer_by = answer_due(settings_, now);
  const bool is_conditional = !request.etag.empty() || !request.last_modified.empty();
  current_->in_flight.emplace(request.id,
                              Requested{request.method, request.max_bytes, is_conditional});
  return sent;
}

// Whether the settings or the files have changed so that only another process can obey them.
bool FetcherClient::is_outdated(TimePoint now) {
  const Fetcher& fetcher = *current_;
  if (fetcher.arguments != press_arguments(PressRole::kFetcher, settings_)) return true;
  if (now < next_file_check_) return false;
  next_file_check_ = now + kFileCheckPause;
  const auto& files = fetcher.press.files();
  return !std::all_of(files.begin(), files.end(), is_current);
}

void FetcherClient::replace(TimePoint now) {
  if (!current_->in_flight.empty()) {
    former_.push_back(std::exchange(current_, std::make_unique<Fetcher>()));
  }
  if (former_.size() > kMostFormer) {
    give_back(*former_.front(), "the process that downloads was replaced");
    former_.pop_front();
  }
  start_process(now);
}

// Its transfers are neither lost nor charged to anybody.
void FetcherClient::give_back(Fetcher& fetcher, const std::string& reason) {
  for (const auto& [id, ignored] : fetcher.in_flight) {
    FetchOutcome& outcome = given_back_.emplace_back();
    outcome.id = id;
    outcome.fault = Fault::kPressDied;
    outcome.postponed = true;
    outcome.reason = reason;
  }
  fetcher.in_flight.clear();
}

std::optional<FetchOutcome> FetcherClient::receive(TimePoint now) {
  if (auto outcome = receive_from_former(now)) return outcome;
  return receive_from(*current_, now);
}

std::optional<FetchOutcome> FetcherClient::receive_from_former(TimePoint now) {
  for (auto former = former_.begin(); former != former_.end();) {
    Fetcher& fetcher = **former;
    try {
      if (auto outcome = receive_from(fetcher, now)) return outcome;
    } catch (const PressEnded& ended) {
      give_back(fetcher, ended.what());
    }
    former = fetcher.in_flight.empty() ? former_.erase(former) : std::next(former);
  }
  if (given_back_.empty()) return std::nullopt;
  FetchOutcome outcome = std::move(given_back_.front());
  given_back_.pop_front();
  return outcome;
}

std::optional<FetchOutcome> FetcherClient::receive_from(Fetcher& fetcher, TimePoint now) {
  Packet packet;
  for (;;) {
    if (!fetcher.press.receive(packet)) {
      if (fetcher.answer_due() <= now) fetcher.press.end(PressEnd::kHung);
      if (fetcher.is_busy()) fetcher.press.look(now);
      return std::nullopt;
    }
    fetcher.answer_by = answer_due(settings_, now);
    if (!note_report(fetcher, packet, now)) break;
  }
  const auto* reply = std::get_if<wire::FetchReply>(&packet.message);
  if (reply == nullptr) {
    fetcher.press.end(PressEnd::kBrokeProtocol, "a message that no fetcher sends");
  }
  try {
    return outcome_of(fetcher, *reply, std::move(packet.attachment));
  } catch (const std::runtime_error& error) {  // memory that is not sealed, or an impossible answer
    fetcher.press.end(PressEnd::kBrokeProtocol, error.what());
  }
}

// False if it is none. A fetcher that somebody has taken over may report anything: it is for people
// to read, in words that do no harm.
bool FetcherClient::note_report(Fetcher& fetcher, Packet& packet, TimePoint now) {
  auto* states = std::get_if<wire::HostStates>(&packet.message);
  const auto* use = std::get_if<wire::MemoryUse>(&packet.message);
  if (use == nullptr && states == nullptr) return false;
  count_report(fetcher, now);
  if (use != nullptr) {
    fetcher.memory.use = *use;
  } else if (&fetcher == current_.get()) {
    host_states_ = std::move(states->hosts);
    host_states_.resize(std::min(host_states_.size(), kReportedHosts));
    for (HostState& state : host_states_) {
      state.host = plain_text(state.host);
      state.last_error = plain_text(state.last_error);
    }
    ++host_report_;
  }
  return true;
}

void FetcherClient::count_report(Fetcher& fetcher, TimePoint now) {
  Memory& memory = fetcher.memory;
  if (now >= memory.count_until) {
    memory.count_until = now + std::chrono::seconds(1);
    memory.reports = 0;
  }
  if (++memory.reports >= kFloodOfReports) {
    fetcher.press.end(PressEnd::kBrokeProtocol, "too many reports about its memory");
  }
}

FetchOutcome FetcherClient::outcome_of(Fetcher& fetcher, const wire::FetchReply& reply,
                                       UniqueFd body) const {
  const auto found = fetcher.in_flight.find(reply.id);
  if (found == fetcher.in_flight.end()) throw wire::WireError("an answer to no request");
  FetchOutcome outcome;
  outcome.id = reply.id;
  outcome.fault = reply.fault;
  outcome.http_status = static_cast<int>(reply.http_status);
  outcome.retry_after_seconds = reply.retry_after_seconds;
  outcome.postponed = reply.postponed;
  if (reply.fault != Fault::kNone) {
    outcome.reason = plain_text(reply.message);
  } else if (reply.not_modified) {
    if (!found->second.is_conditional) throw wire::WireError("not modified, but nobody has asked");
    outcome.not_modified = true;
  } else if (found->second.method == wire::Method::kGet) {
    outcome.body_bytes = sealed_size(body.get());
    if (outcome.body_bytes > found->second.max_bytes) {
      throw wire::WireError("a body that is too long");
    }
    outcome.version = version_of(reply);
    fetcher.memory.received += outcome.body_bytes;
    outcome.body = HeldMemory(std::move(body), outcome.body_bytes, ledger_);
  }
  fetcher.in_flight.erase(found);
  return outcome;
}

std::size_t FetcherClient::in_flight() const {
  std::size_t sum = current_->in_flight.size() + given_back_.size();
  for (const auto& fetcher : former_) sum += fetcher->in_flight.size();
  return sum;
}

// When it counts as hung.
TimePoint FetcherClient::Fetcher::answer_due() const {
  return in_flight.empty() ? press.ready_by() : std::min(press.ready_by(), answer_by);
}

TimePoint FetcherClient::Fetcher::deadline() const {
  return is_busy() ? std::min(answer_due(), press.next_look()) : TimePoint::max();
}

TimePoint FetcherClient::deadline() const {
  if (!given_back_.empty()) return TimePoint();
  TimePoint earliest = std::min(current_->deadline(), memory_deadline(*current_));
  for (const auto& fetcher : former_) {
    earliest = std::min({earliest, fetcher->deadline(), memory_deadline(*fetcher)});
  }
  return earliest;
}

}  // namespace imgpress
