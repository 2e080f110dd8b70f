#include "press/fetch/fetch_engine.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include "channel/own_address.hpp"
#include "core/net/host_patterns.hpp"
#include "core/net/url.hpp"
#include "press/fetch/fetch_faults.hpp"

namespace imgpress::press {
namespace {

// A transfer whose answer takes longer counts as slow.
constexpr std::chrono::milliseconds kSlowAnswer{500};
constexpr std::chrono::milliseconds kSlowCheckInterval{100};

// When a host asks for a pause whose end is near, as many of its downloads wait here as may start
// then. The others are sent back, so that the drainer can do other images in their place.
constexpr std::chrono::seconds kLongestHeldPause{5};
// The others come back spread over up to this time: all at once would be postponed again and again.
constexpr std::chrono::seconds kLongestSpread{60};

// What is sent back because the administrator has paused its host is set aside by the next claim,
// unless the URL writes the name of its host in another form than the rule: then the image comes by
// again and again, but seldom.
constexpr std::chrono::seconds kAsideDelay{1};
constexpr std::chrono::seconds kUnrecognisedDelay{30};

// What an image is expected to take before its length is known, at least.
constexpr std::uint64_t kLeastExpected = 256UL * 1024;

// How often the owner hears of the use of memory.
constexpr std::chrono::milliseconds kReportInterval{500};
constexpr std::chrono::seconds kHostReportInterval{1};

// Connections that are kept open for further requests to their hosts.
constexpr long kIdleConnections = 256;

// A transfer may need two descriptors. As many again are left for idle connections, for replies
// that have not been sent and for second sockets (when a host has IPv4 and IPv6 addresses).
std::size_t transfers_at_once() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 64;
  return std::clamp<std::size_t>(limit.rlim_cur / 4, 16, 1024);
}

// Webhooks are not subject to rules for downloads; see Transfer::queue().
bool is_of_downloads(const std::string& queue) {
  return queue.find(' ') == std::string::npos;
}

// A name in a rule as it is in a URL that libcurl has prepared: international names in their ASCII
// form. One that is none is left alone, and is for no host.
std::string ascii_pattern(const std::string& pattern) {
  const bool is_ascii = std::all_of(pattern.begin(), pattern.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (is_ascii) return pattern;
  const std::size_t star = pattern.compare(0, 2, "*.") == 0 ? 2 : 0;
  try {
    return pattern.substr(0, star) + host_of(normalised_url("http://" + pattern.substr(star)));
  } catch (const FaultError&) {
    return pattern;
  }
}

void require(bool condition) {
  if (!condition) throw std::bad_alloc();
}

}  // namespace

FetchEngine::FetchEngine(int epoll_fd)
    : epoll_fd_(epoll_fd),
      multi_(curl_multi_init()),
      queue_(transfers_at_once()),
      expected_bytes_(kLeastExpected) {
  require(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &FetchEngine::on_watch);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &FetchEngine::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
}

FetchEngine::~FetchEngine() {
  for (const auto& [serial, transfer] : running_) {
    curl_multi_remove_handle(multi_, transfer->easy());
    curl_easy_cleanup(transfer->easy());
  }
  for (CURL* easy : idle_handles_) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi_);
}

void FetchEngine::apply(wire::FetcherSettings settings) {
  settings_ = std::move(settings);
  policy_ = AddressPolicy(settings_.allowed_networks, is_own_address);
  queue_.set_host_limits(settings_.host_limits);
  limit_connections();
}

// Transfers start within the queue's limits, so this one only matters for redirects (and for a host
// that is an origin and receives webhooks).
void FetchEngine::limit_connections() {
  auto most = static_cast<std::uint32_t>(settings_.host_limits.connections);
  for (const auto& [ignored, rule] : rules_) most = std::max(most, rule.connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(most));
}

void FetchEngine::apply(wire::HostRules rules) {
  if (rules.is_first) rules_.clear();
  for (HostRule& rule : rules.rules) {
    std::string name = ascii_pattern(rule.host);
    rules_[std::move(name)] = std::move(rule);
  }
  queue_.set_rules([this](const std::string& queue) { return rule_for(queue); });
  limit_connections();
  for (const std::string& queue : queue_.hosts_with_waiting()) postpone_waiting(queue);
}

// Of several rules for a host, the most specific one that sets a limit counts, and any can pause.
HostRule FetchEngine::rule_for(const std::string& queue) const {
  HostRule found;
  if (rules_.empty() || !is_of_downloads(queue)) return found;
  for (const std::string& pattern : host_patterns(queue)) {
    const auto rule = rules_.find(pattern);
    if (rule == rules_.end()) continue;
    if (found.interval_us == 0) found.interval_us = rule->second.interval_us;
    if (found.connections == 0) found.connections = rule->second.connections;
    found.paused = found.paused || rule->second.paused;
  }
  return found;
}

void FetchEngine::submit(wire::FetchRequest request) {
  const std::uint64_t id = request.id;
  if (next_host_report_ == kNever && settings_.reports_hosts) {
    next_host_report_ = Clock::now() + kHostReportInterval;
  }
  try {
    auto transfer = std::make_unique<Transfer>(std::move(request), policy_, memory_);
    const std::string queue = transfer->queue();
    queue_.push(queue, std::move(transfer));
    postpone_waiting(queue);
  } catch (const FaultError& error) {
    finished_.push_back(failed_transfer(id, error));
  }
}

void FetchEngine::on_socket(int fd, std::uint32_t epoll_events) {
  int action = 0;
  if ((epoll_events & EPOLLIN) != 0) action |= CURL_CSELECT_IN;
  if ((epoll_events & EPOLLOUT) != 0) action |= CURL_CSELECT_OUT;
  if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0) action |= CURL_CSELECT_ERR;
  int running = 0;
  curl_multi_socket_action(multi_, fd, action, &running);
}

void FetchEngine::run_due() {
  do {
    if (due_ <= Clock::now()) {
      due_ = kNever;
      int running = 0;
      curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect();
    end_overdue();
    find_slow();
    queue_.end_pauses(Clock::now());
    lend_memory();
    grant_memory();
    start_waiting();
  } while (due_ <= Clock::now());
}

int FetchEngine::wait_ms() const {
  Clock::time_point due = due_;
  if (queue_.has_waiting()) {
    due = std::min(due, queue_.next_pause_end());
    if (!running_.empty()) due = std::min(due, next_slow_check_);
  }
  if (!deadlines_.empty()) due = std::min(due, deadlines_.begin()->first);
  if (memory_.is_short()) due = std::min(due, next_lending_);
  due = std::min({due, next_report_, next_host_report_});
  if (due == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

std::deque<FinishedTransfer> FetchEngine::take_finished() {
  return std::exchange(finished_, {});
}

int FetchEngine::on_watch(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* known) {
  const auto& engine = *static_cast<FetchEngine*>(self);
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(engine.epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
    return 0;
  }
  epoll_event event{};
  event.data.fd = fd;
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  const int operation = known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(engine.epoll_fd_, operation, fd, &event) != 0) return -1;
  curl_multi_assign(engine.multi_, fd, self);
  return 0;
}

int FetchEngine::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  auto& due = static_cast<FetchEngine*>(self)->due_;
  due = timeout_ms < 0 ? kNever : Clock::now() + std::chrono::milliseconds(timeout_ms);
  return 0;
}

void FetchEngine::find_slow() {
  const auto now = Clock::now();
  if (running_.empty() || now < next_slow_check_) return;
  next_slow_check_ = now + kSlowCheckInterval;
  for (auto& [ignored, transfer] : running_) {
    if (transfer->counts_as_slow() || now - transfer->started_at() < kSlowAnswer) continue;
    if (transfer->is_unacknowledged()) continue;
    transfer->count_as_slow();
    queue_.count_as_slow(transfer->queue());
  }
}

// Those that find no place within the limited rate, and all if the administrator has paused the
// host: the next claim sees that, so they only have to be out of the way.
void FetchEngine::send_back(const std::string& queue, std::size_t keep) {
  for (const auto& transfer : queue_.take_waiting(queue, keep)) {
    if (HostPace* pace = keep == 0 ? nullptr : queue_.pace(queue)) {
      finished_.push_back(transfer->postpone(pace->reserve(Clock::now()), describe_turn(queue)));
      continue;
    }
    const auto delay = transfer->names_host_plainly() ? kAsideDelay : kUnrecognisedDelay;
    finished_.push_back(transfer->postpone(delay, describe_closed(queue)));
  }
}

// While a host is paused, only as many of its downloads wait here as may start at its end, and none
// if the end is far away. The others are answered, so that they don't occupy the drainer's window.
void FetchEngine::postpone_waiting(const std::string& queue) {
  if (queue_.is_paused_by_rule(queue)) return send_back(queue, 0);
  if (const HostPace* pace = queue_.pace(queue)) send_back(queue, pace->places());
  const auto pause = queue_.pause_end(queue) - Clock::now();
  if (pause <= Clock::duration::zero()) return;
  const std::size_t keep = pause <= kLongestHeldPause ? queue_.allowance(queue) : 0;
  for (const auto& transfer : queue_.take_waiting(queue, keep)) {
    const auto further =
        std::min<Clock::duration>(queue_.pauses_to_skip(queue) * pause, kLongestSpread);
    const auto delay = pause + further;
    finished_.push_back(transfer->postpone(delay, describe_pause(queue, delay)));
  }
}

void FetchEngine::start_waiting() {
  std::unique_ptr<Transfer> transfer;
  while (queue_.start_next(transfer)) start(std::move(transfer));
}

void FetchEngine::start(std::unique_ptr<Transfer> transfer) {
  CURL* easy = take_handle();
  transfer->prepare(easy, settings_, queue_.newest());
  Transfer& started = *(running_[queue_.newest()] = std::move(transfer));
  if (!started.is_download() || started.reserve(expected_bytes_)) run(started);
}

// Lets libcurl work on a transfer.
void FetchEngine::run(Transfer& transfer) {
  transfer.start_clock(Clock::now());
  deadlines_.emplace(transfer.deadline(), transfer.serial());
  require(curl_multi_add_handle(multi_, transfer.easy()) == CURLM_OK);
}

void FetchEngine::end_overdue() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= Clock::now()) {
    const std::uint64_t serial = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    const auto found = running_.find(serial);
    if (found->second->wait() == Transfer::Wait::kNone) end(found, CURLE_OPERATION_TIMEDOUT);
  }
}

void FetchEngine::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // `message` is gone after the removal
    void* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    const auto found = running_.find(static_cast<Transfer*>(transfer)->serial());
    if (found->second->wait() == Transfer::Wait::kBeforeRequest) {
      curl_multi_remove_handle(multi_, easy);
    } else if (found->second->asks_again(easy, code)) {
      curl_multi_remove_handle(multi_, easy);
      require(curl_multi_add_handle(multi_, easy) == CURLM_OK);
    } else {
      end(found, code);
    }
  }
}

void FetchEngine::end(Transfers::iterator found, CURLcode code) {
  const std::unique_ptr<Transfer> transfer = std::move(found->second);
  CURL* easy = transfer->easy();
  running_.erase(found);
  deadlines_.erase({transfer->deadline(), transfer->serial()});
  finished_.push_back(transfer->finish(easy, code));
  if (transfer->stored_bytes() > 0) {
    expected_bytes_ =
        std::max((7 * expected_bytes_ + transfer->stored_bytes()) / 8, kLeastExpected);
  }
  const std::chrono::seconds pause(finished_.back().reply.retry_after_seconds);
  if (transfer->is_download() && pause.count() > 0) {
    queue_.pause(transfer->queue(), Clock::now() + pause);
    postpone_waiting(transfer->queue());
  }
  const wire::FetchReply& reply = finished_.back().reply;
  if (reply.fault != Fault::kNone && reply.id == transfer->id()) {
    queue_.note_error(transfer->queue(), reply.message);
  }
  settle(*transfer, code, easy);
  curl_multi_remove_handle(multi_, easy);
  // Deletes all cookies, which curl_easy_reset() keeps.
  curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
  curl_easy_reset(easy);
  idle_handles_.push_back(easy);
}

// Once in a while, as long as downloads wait for memory.
void FetchEngine::lend_memory() {
  const auto now = Clock::now();
  if (!memory_.is_short() || now < next_lending_) return;
  next_lending_ = now + Transfer::kLendInterval;
  for (auto& [serial, transfer] : running_) transfer->lend_unused(now);
}

void FetchEngine::grant_memory() {
  while (const auto granted = memory_.next()) {
    const auto found = running_.find(granted->id);
    Transfer& transfer = *found->second;
    const bool is_paused = transfer.wait() == Transfer::Wait::kPaused;
    transfer.end_wait(granted->bytes);
    deadlines_.erase({transfer.deadline(), granted->id});
    if (!is_paused) {
      run(transfer);
      continue;
    }
    transfer.start_clock(Clock::now());
    deadlines_.emplace(transfer.deadline(), granted->id);
    // libcurl hands over what it has kept.
    const CURLcode code = curl_easy_pause(transfer.easy(), CURLPAUSE_CONT);
    if (code != CURLE_OK) end(found, code);
  }
}

// At once when memory becomes short, for then the owner has to say whenever some is free; other
// changes when they last.
std::optional<wire::MemoryUse> FetchEngine::take_memory_report() {
  const wire::MemoryUse use{memory_.reserved(), memory_.is_short()};
  if (use.is_short == reported_.is_short) {
    const auto now = Clock::now();
    if (!use.is_short && use.bytes == reported_.bytes) {
      next_report_ = kNever;
    } else if (next_report_ == kNever) {
      next_report_ = now + kReportInterval;
    }
    if (now < next_report_) return std::nullopt;
  }
  reported_ = use;
  next_report_ = kNever;
  return use;
}

// Until nothing changes any more.
std::optional<wire::HostStates> FetchEngine::take_host_report() {
  const auto now = Clock::now();
  if (now < next_host_report_) return std::nullopt;
  wire::HostStates report{queue_.states(now)};
  const bool is_calm =
      std::none_of(report.hosts.begin(), report.hosts.end(), [](const HostState& state) {
        return state.connections + state.waiting + state.starts_per_1000_s + state.pause_s > 0;
      });
  next_host_report_ = is_calm ? kNever : now + kHostReportInterval;
  return report;
}

// Tells the queue how a transfer went, and whether it shows that its host drops connections: it has
// been answered on a new connection while an earlier one is still unacknowledged.
void FetchEngine::settle(const Transfer& transfer, CURLcode code, CURL* easy) {
  HostReaction reaction = transfer.host_reaction(easy, code);
  if (transfer.opened_connection() && reaction.kind == HostReaction::Kind::kAnswered) {
    for (const auto& [ignored, other] : running_) {
      if (other->serial() > transfer.serial() || !other->is_unacknowledged()) continue;
      if (other->queue() != transfer.queue()) continue;
      reaction.overtook_another = true;
      if (other->note_overtaken()) queue_.note_congestion(transfer.queue(), other->serial());
    }
  }
  queue_.finished(transfer.queue(), transfer.serial(), reaction);
}

CURL* FetchEngine::take_handle() {
  if (idle_handles_.empty()) {
    CURL* easy = curl_easy_init();
    require(easy != nullptr);
    // Cookies are on, because some redirects set one and lead back to a page that requires it. They
    // are deleted after each transfer. This is set once for a handle: libcurl keeps a list of all
    // cookie files it was ever given, so that setting it for each transfer would leak.
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
    return easy;
  }
  CURL* easy = idle_handles_.back();
  idle_handles_.pop_back();
  return easy;
}

}  // namespace imgpress::press
