#include "press/fetch/transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/net/denial.hpp"
#include "core/net/retry_after.hpp"
#include "core/net/url.hpp"
#include "core/text/plain_text.hpp"
#include "core/text/text_scan.hpp"
#include "press/fetch/fetch_faults.hpp"

namespace imgpress::press {
namespace {

constexpr long kMaxRedirects = 5;
constexpr long kReceiveBufferBytes = 64L * 1024;
// An error page that is read to its end leaves the connection usable; a longer one is not worth it.
constexpr std::uint64_t kMaxDiscardedBytes = 64UL * 1024;
constexpr long kSlowBytesPerSecond = 100;

// The URL as it is sent to the server: blanks and non-ASCII characters percent-encoded, an
// international host name in its ASCII form.
std::string normalised(const std::string& text) {
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

long last_status(CURL* easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool is_success(long status) {
  return status / 100 == 2;
}

// An answer with a part of the file (206) was not asked for and cannot be used.
bool is_whole_file(long status) {
  return is_success(status) && status != 206;
}

std::uint32_t retry_after(CURL* easy) {
  curl_header* header = nullptr;
  if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return 0;
  return retry_after_seconds(header->value, std::time(nullptr));
}

// The host of the newest hop of a transfer that may have been redirected.
std::string newest_host(CURL* easy, const std::string& fallback) {
  const char* url = nullptr;
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
  std::string host = url != nullptr ? host_of(url) : std::string();
  return host.empty() ? fallback : host;
}

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

FinishedTransfer failed_transfer(std::uint64_t id, const FaultError& error) {
  FinishedTransfer result;
  result.reply.id = id;
  result.reply.fault = error.fault();
  // A host name from a redirect may have any length and contain any byte.
  result.reply.message = plain_text(error.what());
  return result;
}

Transfer::Transfer(wire::FetchRequest request, const AddressPolicy& policy)
    : request_(std::move(request)),
      url_(normalised(request_.url)),
      host_(host_of(url_)),
      queue_(is_download() ? host_ : "webhooks of " + host_),
      guard_(policy) {}

void Transfer::prepare(CURL* easy, const std::string& user_agent, std::uint64_t serial) {
  easy_ = easy;
  serial_ = serial;
  started_at_ = std::chrono::steady_clock::now();
  set_protocol_rules(easy);
  guard_.install(easy);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_text_.data());
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(time_left().count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (is_download()) {
    prepare_get(easy);
  } else {
    prepare_post(easy);
  }
}

void Transfer::prepare_get(CURL* easy) {
  // Images hardly compress any further, so no encoding is asked for (the empty header); but some
  // origins compress everything, and with this option libcurl decodes it.
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  headers_.reset(curl_slist_append(nullptr, "Accept-Encoding:"));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request_.max_bytes));
  // A stalled download ends before its time-out, but an origin gets ten seconds at least to answer.
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(std::max<std::uint32_t>(10, request_.timeout_ms / 2000)));
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
    return transfer.take_body(transfer.easy_, bytes) ? bytes.size : CURL_WRITEFUNC_ERROR;
  } catch (const std::exception& error) {  // EMFILE or ENOMEM: a later attempt may succeed
    transfer.body_fault_.emplace(Fault::kPressDied,
                                 std::string("cannot store the download: ") + error.what());
    return CURL_WRITEFUNC_ERROR;
  }
}

// False to end the transfer.
bool Transfer::take_body(CURL* easy, ByteView bytes) {
  if (!is_download() || !is_whole_file(last_status(easy))) {
    discarded_bytes_ += bytes.size;
    return discarded_bytes_ <= (is_download() ? kMaxDiscardedBytes : request_.max_bytes);
  }
  if (!body_) body_.emplace("imgpress download");
  if (bytes.size > request_.max_bytes - std::min(request_.max_bytes, body_->size())) {
    body_fault_.emplace(Fault::kTooLarge,
                        describe_too_large(newest_host(easy, host_), request_.max_bytes));
    return false;
  }
  body_->append(bytes);
  return true;
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

FinishedTransfer Transfer::succeed() {
  FinishedTransfer result;
  if (is_download()) {
    if (!body_) body_.emplace("imgpress download");
    result.body = body_->seal();
  }
  return result;
}

std::chrono::milliseconds Transfer::time_left() const {
  using std::chrono::milliseconds;
  const auto spent =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started_at_);
  return std::max(milliseconds(request_.timeout_ms) - spent, milliseconds(1));
}

bool Transfer::retry_undecoded(CURL* easy, CURLcode code) {
  if (code != CURLE_BAD_CONTENT_ENCODING || !decodes_ || !is_whole_file(last_status(easy))) {
    return false;
  }
  decodes_ = false;
  body_.reset();
  discarded_bytes_ = 0;
  curl_text_.fill('\0');
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, nullptr);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(time_left().count()));
  return true;
}

FinishedTransfer Transfer::finish(CURL* easy, CURLcode code) {
  const long status = last_status(easy);
  FinishedTransfer result;
  try {
    const auto fault = fault_of(easy, code, status);
    result = fault ? failed_transfer(request_.id, *fault) : succeed();
  } catch (const std::system_error& error) {
    result = failed_transfer(request_.id, FaultError(Fault::kPressDied, error.what()));
  }
  result.reply.id = request_.id;
  result.reply.http_status = static_cast<std::uint32_t>(status);
  if (status == 429 || status == 503) result.reply.retry_after_seconds = retry_after(easy);
  return result;
}

FinishedTransfer Transfer::postpone(std::chrono::steady_clock::duration pause) const {
  const auto seconds =
      static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(pause).count());
  FinishedTransfer postponed =
      failed_transfer(request_.id, FaultError(Fault::kHttpStatus, describe_pause(host_, seconds)));
  postponed.reply.postponed = true;
  postponed.reply.retry_after_seconds = seconds;
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
