#include "press/fetch/transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/net/denial.hpp"
#include "core/net/url.hpp"
#include "core/text/ascii.hpp"
#include "core/text/plain_text.hpp"
#include "core/text/text_scan.hpp"
#include "press/fetch/fetch_faults.hpp"
#include "press/fetch/response.hpp"

namespace imgpress::press {
namespace {

constexpr long kMaxRedirects = 5;
constexpr long kReceiveBufferBytes = 64L * 1024;
// An error page that is read to its end leaves the connection usable; a longer one is not worth it.
constexpr std::uint64_t kMaxDiscardedBytes = 64UL * 1024;
constexpr long kSlowBytesPerSecond = 100;
// The least that a body of unknown length reserves at a time; more than libcurl hands over at once.
constexpr std::uint64_t kMemoryStep = 256UL * 1024;

void set_protocol_rules(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Without this, a transfer that times out during its name lookup would block until the lookup
  // ends.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  // libcurl keeps the parsed CA bundle between connections only when no CA folder is set.
  if (curl_version_info(CURLVERSION_NOW)->cainfo != nullptr) {
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
}

}  // namespace

std::string normalised_url(const std::string& text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  WorkMeter meter;
  const std::string source(trim_blanks(text, meter));
  if (source.empty()) throw FaultError(Fault::kBadUrl, "the URL is empty or NULL");
  if (!is_http_url(source)) {
    throw FaultError(Fault::kBadUrl, "the URL is not http:// or https:// followed by a host name");
  }
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, source.c_str(),
                                      CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_DISALLOW_USER);
  if (code == CURLUE_USER_NOT_ALLOWED) {
    throw FaultError(Fault::kBadUrl, "the URL contains a user name; such URLs are not fetched");
  }
  char* encoded = nullptr;
  if (code != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &encoded, CURLU_PUNYCODE) != CURLUE_OK) {
    throw FaultError(Fault::kBadUrl, "the URL is not well-formed (host: " + host_of(source) + ")");
  }
  std::string result = encoded;
  curl_free(encoded);
  return result;
}

FinishedTransfer failed_transfer(std::uint64_t id, const FaultError& error) {
  FinishedTransfer result;
  result.reply.id = id;
  result.reply.fault = error.fault();
  // A host name from a redirect may have any length and contain any byte.
  result.reply.message = plain_text(error.what());
  return result;
}

Transfer::Transfer(wire::FetchRequest request, const AddressPolicy& policy, MemoryBudget& memory)
    : request_(std::move(request)),
      url_(normalised_url(request_.url)),
      host_(host_of(url_)),
      queue_(is_download() ? host_ : "webhooks of " + host_),
      guard_(policy),
      time_left_(std::chrono::milliseconds(request_.timeout_ms)),
      memory_(memory),
      most_bytes_(request_.max_bytes) {}

bool Transfer::names_host_plainly() const {
  WorkMeter meter;
  return host_of(trim_blanks(request_.url, meter)) == host_;
}

Transfer::~Transfer() {
  if (wait_ != Wait::kNone) memory_.forget(serial_);
  memory_.end(serial_, reserved_, 0);
}

void Transfer::start_clock(Clock::time_point now) {
  runs_since_ = now;
  deadline_ = now + time_left_;
}

bool Transfer::reserve(std::uint64_t expected) {
  const std::uint64_t step = std::min(expected, most_bytes_);
  reserved_ = memory_.reserve({serial_, step, most_bytes_, false});
  if (reserved_ == 0) wait_ = Wait::kBeforeRequest;
  return wait_ == Wait::kNone;
}

void Transfer::begin_wait(Wait wait) {
  wait_ = wait;
  time_left_ = deadline_ - Clock::now();
}

void Transfer::end_wait(std::uint64_t bytes) {
  reserved_ += bytes;
  wait_ = Wait::kNone;
}

// A host that is silent or slow must not hold memory that others can use. When more of its image
// comes, it waits in line itself, with its connection.
void Transfer::lend_unused(Clock::time_point now) {
  const std::uint64_t size = body_ ? body_->size() : 0;
  const std::uint64_t got = size - std::min(size, std::exchange(bytes_earlier_, size));
  if (wait_ != Wait::kNone || must_not_pause_ || now - runs_since_ < kLendInterval) return;
  const std::uint64_t enough = std::min(size + 2 * got, reserved_);
  if (memory_.lend(serial_, reserved_ - enough)) reserved_ = enough;
}

void Transfer::prepare(CURL* easy, const wire::FetcherSettings& settings, std::uint64_t serial) {
  easy_ = easy;
  serial_ = serial;
  started_at_ = Clock::now();
  set_protocol_rules(easy);
  guard_.install(easy);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, settings.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_text_.data());
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (is_download()) {
    prepare_get(easy, settings.headers);
  } else {
    prepare_post(easy);
  }
}

void Transfer::prepare_get(CURL* easy, const std::vector<std::string>& headers) {
  // Images hardly compress any further, so no encoding is asked for (the empty header); but some
  // origins compress everything, and with this option libcurl decodes it.
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  further_headers_ = headers;
  sends_secrets_ = !request_.headers.empty() && starts_with(url_, "https://");
  set_headers(easy);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, sends_secrets_ ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request_.max_bytes));
  // A stalled download ends before its time-out, but an origin gets ten seconds at least to answer.
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(std::max<std::uint32_t>(10, request_.timeout_ms / 2000)));
}

void Transfer::set_headers(CURL* easy) {
  curl_slist* list = curl_slist_append(nullptr, "Accept-Encoding:");
  for (const std::string& header : further_headers_) list = curl_slist_append(list, header.c_str());
  if (is_entity_tag(request_.etag)) {
    list = curl_slist_append(list, ("If-None-Match: " + request_.etag).c_str());
  }
  if (is_modification_date(request_.last_modified)) {
    list = curl_slist_append(list, ("If-Modified-Since: " + request_.last_modified).c_str());
  }
  for (const std::string& header : request_.headers) {
    if (sends_secrets_) list = curl_slist_append(list, header.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
  headers_.reset(list);
}

bool Transfer::is_conditional() const {
  return !request_.etag.empty() || !request_.last_modified.empty();
}

void Transfer::prepare_post(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request_.body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
  curl_slist* list = curl_slist_append(nullptr, "Expect:");  // do not wait for a 100 Continue
  for (const std::string& header : request_.headers) {
    if (header.find_first_of("\r\n") == std::string::npos) {
      list = curl_slist_append(list, header.c_str());
    }
  }
  headers_.reset(list);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const ByteView bytes{reinterpret_cast<const std::uint8_t*>(data), size * count};
  try {
    return transfer.take_body(transfer.easy_, bytes);
  } catch (const std::exception& error) {  // EMFILE or ENOMEM: a later attempt may succeed
    transfer.body_fault_.emplace(Fault::kPressDied,
                                 std::string("cannot store the download: ") + error.what());
    return CURL_WRITEFUNC_ERROR;
  }
}

// What libcurl's write function returns: the number of bytes, or a word that pauses or ends the
// transfer.
std::size_t Transfer::take_body(CURL* easy, ByteView bytes) {
  if (!is_download() || !is_whole_file(last_status(easy))) {
    discarded_bytes_ += bytes.size;
    const std::uint64_t most = is_download() ? kMaxDiscardedBytes : request_.max_bytes;
    return discarded_bytes_ <= most ? bytes.size : CURL_WRITEFUNC_ERROR;
  }
  if (!body_ && !open_body(easy)) {
    return wait_ == Wait::kPaused ? CURL_WRITEFUNC_PAUSE : CURL_WRITEFUNC_ERROR;
  }
  if (bytes.size > request_.max_bytes - std::min(request_.max_bytes, body_->size())) {
    body_fault_.emplace(Fault::kTooLarge,
                        describe_too_large(newest_host(easy, host_), request_.max_bytes));
    return CURL_WRITEFUNC_ERROR;
  }
  if (!make_room(bytes.size)) return CURL_WRITEFUNC_PAUSE;
  body_->append(bytes);
  digest_.add(bytes);
  return bytes.size;
}

// Whether libcurl decodes the body. One read from the network can then become a thousand times as
// long, and a pause would make libcurl keep all of that.
bool Transfer::is_decoded(CURL* easy) const {
  curl_header* header = nullptr;
  return decodes_ &&
         curl_easy_header(easy, "Content-Encoding", 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
}

// The memory that the body needs at first; `most_bytes_` is set to what it can need in all.
std::uint64_t Transfer::first_need(CURL* easy) {
  curl_off_t length = -1;
  curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  must_not_pause_ = is_decoded(easy);
  most_bytes_ = request_.max_bytes;
  if (must_not_pause_) return most_bytes_;
  if (length < 0) return std::min(std::max(reserved_, kMemoryStep), most_bytes_);
  most_bytes_ = std::min(static_cast<std::uint64_t>(length), most_bytes_);
  return most_bytes_;
}

// The first bytes of the body are there, and so is its length, if the origin says it. If there is
// not enough memory, the transfer is broken off and repeated later: it may have to wait for longer
// than origins keep a connection. The second time it keeps it.
bool Transfer::open_body(CURL* easy) {
  const std::uint64_t need = first_need(easy);
  if (need < reserved_) {
    memory_.give_back(serial_, reserved_ - need);
    reserved_ = need;
  } else if (need > reserved_) {
    memory_.give_back(serial_, std::exchange(reserved_, 0));
    reserved_ = memory_.reserve({serial_, need, most_bytes_, false});
    if (reserved_ == 0) {
      const bool once_more = must_not_pause_ || !std::exchange(was_broken_off_, true);
      begin_wait(once_more ? Wait::kBeforeRequest : Wait::kPaused);
      return false;
    }
  }
  body_.emplace("imgpress download");
  return true;
}

// Reserves more memory where the length is not known, or was lent. False if it has to wait.
bool Transfer::make_room(std::uint64_t bytes) {
  const std::uint64_t size = body_->size() + bytes;
  if (size <= reserved_) return true;
  const std::uint64_t rest = std::max(size, most_bytes_) - reserved_;
  const std::uint64_t step = std::min(std::max(reserved_, kMemoryStep), rest);
  const std::uint64_t granted = memory_.reserve({serial_, step, rest, true});
  if (granted == 0) begin_wait(Wait::kPaused);
  reserved_ += granted;
  return granted > 0;
}

std::optional<FaultError> Transfer::fault_of(CURL* easy, CURLcode code, long status) const {
  const std::string host = newest_host(easy, host_);
  // An error status decides, even if the error page was cut short. With any other status a POST has
  // its answer, while a GET may still have failed over a redirect or the body.
  const bool is_post = !is_download();
  if (status >= 400 || status == 206 || (status >= 200 && (is_post || code == CURLE_OK))) {
    const bool is_good = is_post ? is_success(status) : is_whole_file(status);
    if (!is_good) return FaultError(Fault::kHttpStatus, describe_status(status, host));
    if (is_post) return std::nullopt;
  }
  if (code == CURLE_OK) return std::nullopt;
  if (body_fault_) return body_fault_;
  // A host may have addresses of both kinds, as localhost has: if those that are permitted cannot
  // be connected to, the others are worth a word.
  if (guard_.denial() && (!guard_.permitted_any() || code == CURLE_COULDNT_CONNECT)) {
    return FaultError(Fault::kAddressDenied, describe_denial(host, *guard_.denial()));
  }
  FailedTransfer failed;
  failed.code = code;
  failed.host = host;
  failed.detail = curl_text_.data();
  failed.connected = guard_.connected();
  failed.timeout_ms = request_.timeout_ms;
  failed.connect_timeout_ms = request_.connect_timeout_ms;
  failed.max_bytes = request_.max_bytes;
  return describe_failure(failed);
}

FinishedTransfer Transfer::succeed(CURL* easy) {
  FinishedTransfer result;
  if (is_download()) {
    if (!body_) body_.emplace("imgpress download");
    stored_bytes_ = body_->size();
    result.body = body_->seal();
    result.reply.digest = digest_.finish();
    Validators validators = left_origin_ ? Validators{} : validators_of(easy);
    result.reply.etag = std::move(validators.etag);
    result.reply.last_modified = std::move(validators.last_modified);
    memory_.end(serial_, std::exchange(reserved_, 0), stored_bytes_);
  }
  return result;
}

bool Transfer::asks_again(CURL* easy, CURLcode code) {
  return retry_undecoded(easy, code) || retry_unconditionally(easy, code) ||
         follow_without_secrets(easy, code);
}

// libcurl takes headers along to where a redirect leads, but secrets are for their origin only. So
// a transfer with secrets ends at the redirect, and goes on without them; and without validators,
// which are not of that URL either.
bool Transfer::follow_without_secrets(CURL* easy, CURLcode code) {
  if (!sends_secrets_ || code != CURLE_OK) return false;
  const char* target = nullptr;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &target);
  if (target == nullptr) return false;
  sends_secrets_ = false;
  left_origin_ = true;
  request_.etag.clear();
  request_.last_modified.clear();
  // A copy, since it belongs to the handle, which libcurl tidies up.
  curl_easy_setopt(easy, CURLOPT_URL, std::string(target).c_str());
  set_headers(easy);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects - 1);
  body_.reset();
  discarded_bytes_ = 0;
  return true;
}

// The validators went along to where the redirect leads, but they are not of that URL.
bool Transfer::retry_unconditionally(CURL* easy, CURLcode code) {
  if (code != CURLE_OK || !is_conditional() || last_status(easy) != kNotModified ||
      !was_redirected(easy)) {
    return false;
  }
  request_.etag.clear();
  request_.last_modified.clear();
  set_headers(easy);
  return true;
}

// The bytes may well be a plain image.
bool Transfer::retry_undecoded(CURL* easy, CURLcode code) {
  if (code != CURLE_BAD_CONTENT_ENCODING || !decodes_ || !is_whole_file(last_status(easy))) {
    return false;
  }
  digest_.restart();
  decodes_ = false;
  body_.reset();
  discarded_bytes_ = 0;
  curl_text_.fill('\0');
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, nullptr);
  return true;
}

FinishedTransfer Transfer::finish(CURL* easy, CURLcode code) {
  const long status = last_status(easy);
  FinishedTransfer result;
  const bool not_modified = code == CURLE_OK && status == kNotModified && is_conditional();
  try {
    const auto fault = not_modified ? std::nullopt : fault_of(easy, code, status);
    if (fault) {
      result = failed_transfer(request_.id, *fault);
    } else if (!not_modified) {
      result = succeed(easy);
    }
  } catch (const std::system_error& error) {
    result = failed_transfer(request_.id, FaultError(Fault::kPressDied, error.what()));
  }
  result.reply.id = request_.id;
  result.reply.not_modified = not_modified;
  result.reply.http_status = static_cast<std::uint32_t>(status);
  if (status == 429 || status == 503) result.reply.retry_after_seconds = retry_after(easy);
  return result;
}

FinishedTransfer Transfer::postpone(Clock::duration delay, const std::string& why) const {
  FinishedTransfer postponed = failed_transfer(request_.id, FaultError(Fault::kHttpStatus, why));
  postponed.reply.postponed = true;
  postponed.reply.retry_after_seconds =
      static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(delay).count());
  return postponed;
}

bool Transfer::is_unacknowledged() {
  if (was_acknowledged_ || !guard_.opened()) return false;
  if (!guard_.connect_time()) return true;
  curl_socket_t fd = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &fd);
  was_acknowledged_ = fd == CURL_SOCKET_BAD || is_acknowledged(fd);
  return !was_acknowledged_;
}

HostReaction Transfer::host_reaction(CURL* easy, CURLcode code) const {
  const long status = last_status(easy);
  HostReaction reaction;
  reaction.counted_as_slow = counts_as_slow_;
  reaction.connect_time = guard_.connect_time();
  const bool timed_out = code == CURLE_OPERATION_TIMEDOUT;
  if (guard_.opened() && !guard_.connect_time() && (timed_out || code == CURLE_COULDNT_CONNECT)) {
    reaction.kind = HostReaction::Kind::kUnconnected;
  } else if (status == 0 || timed_out) {
    reaction.kind = HostReaction::Kind::kUnanswered;
  } else if (status == 429 || status == 503) {
    reaction.kind = HostReaction::Kind::kBusy;
  } else {
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    reaction.kept_connection = fd != CURL_SOCKET_BAD;
  }
  return reaction;
}

}  // namespace imgpress::press
