#include "press/fetch/fetch_faults.hpp"

#include <algorithm>
#include <iterator>

namespace imgpress::press {
namespace {

// The message is `before` + host + `after`.
struct CodeMeaning {
  CURLcode code;
  Fault fault;
  const char* before;
  const char* after;
};

constexpr const char* kNoHttp = " answered with something that is not HTTP";

constexpr CodeMeaning kMeanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, Fault::kConnection, "cannot resolve the host name ", ""},
    {CURLE_COULDNT_CONNECT, Fault::kConnection, "cannot connect to ", ""},
    {CURLE_PARTIAL_FILE, Fault::kConnection, "",
     " closed the connection before the end of the file"},
    {CURLE_RECV_ERROR, Fault::kConnection, "", " broke the connection"},
    {CURLE_SEND_ERROR, Fault::kConnection, "", " broke the connection"},
    {CURLE_GOT_NOTHING, Fault::kConnection, "", " closed the connection without an answer"},
    {CURLE_WEIRD_SERVER_REPLY, Fault::kConnection, "", kNoHttp},
    {CURLE_UNSUPPORTED_PROTOCOL, Fault::kBadUrl, "",
     " redirects to a URL that is not http:// or https://"},
    {CURLE_LOGIN_DENIED, Fault::kBadUrl, "", " redirects to a URL that contains a user name"},
    {CURLE_URL_MALFORMAT, Fault::kBadUrl, "the URL is not well-formed (host: ", ")"},
    {CURLE_TOO_MANY_REDIRECTS, Fault::kTooManyRedirects, "", " redirects too many times"},
    {CURLE_OUT_OF_MEMORY, Fault::kPressDied, "not enough memory to fetch from ", ""},
};

constexpr CURLcode kTlsCodes[] = {
    CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
    CURLE_SSL_ISSUER_ERROR,  CURLE_SSL_INVALIDCERTSTATUS,    CURLE_SSL_CERTPROBLEM,
    CURLE_SSL_CIPHER,        CURLE_SSL_CRL_BADFILE,          CURLE_SSL_PINNEDPUBKEYNOTMATCH,
    CURLE_SSL_CLIENTCERT,    CURLE_SSL_ENGINE_INITFAILED,    CURLE_USE_SSL_FAILED,
};

struct StatusName {
  long status;
  const char* name;
};

constexpr StatusName kStatusNames[] = {
    {206, "Partial Content (the whole file was requested)"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {429, "Too Many Requests"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

// "30 s", "1.5 s", "50 ms"
std::string duration(std::uint32_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  const std::uint32_t tenths = ms % 1000 / 100;
  return std::to_string(ms / 1000) + (tenths > 0 ? "." + std::to_string(tenths) : "") + " s";
}

FaultError describe_timeout(const FailedTransfer& transfer) {
  if (!transfer.connected) {
    const auto limit = std::min(transfer.connect_timeout_ms, transfer.timeout_ms);
    return {Fault::kTimeout, "cannot connect to " + transfer.host + " within " + duration(limit)};
  }
  return {Fault::kTimeout, transfer.host + " was too slow or stopped sending (the limit is " +
                               duration(transfer.timeout_ms) + ")"};
}

// Whether the connection ended during the TLS handshake. That is not a fault of the certificate,
// and another attempt may succeed; only the message of OpenSSL or libcurl tells the two apart.
bool ended_in_handshake(const std::string& detail) {
  constexpr const char* kSigns[] = {"unexpected eof", "SSL_connect:", "Send failure",
                                    "Recv failure"};
  return std::any_of(std::begin(kSigns), std::end(kSigns), [&detail](const char* sign) {
    return detail.find(sign) != std::string::npos;
  });
}

FaultError describe_tls(const FailedTransfer& transfer) {
  if (transfer.code == CURLE_SSL_CONNECT_ERROR && ended_in_handshake(transfer.detail)) {
    return {Fault::kConnection, transfer.host + " broke the connection"};
  }
  std::string message = "cannot make a secure connection to " + transfer.host;
  if (!transfer.detail.empty()) message += " (" + transfer.detail + ")";
  return {Fault::kTls, message};
}

}  // namespace

FaultError describe_failure(const FailedTransfer& transfer) {
  if (transfer.code == CURLE_OPERATION_TIMEDOUT) return describe_timeout(transfer);
  if (transfer.code == CURLE_FILESIZE_EXCEEDED) {
    return {Fault::kTooLarge, describe_too_large(transfer.host, transfer.max_bytes)};
  }
  if (std::find(std::begin(kTlsCodes), std::end(kTlsCodes), transfer.code) != std::end(kTlsCodes)) {
    return describe_tls(transfer);
  }
  // An answer without a status line is HTTP/0.9 to libcurl, which it does not support.
  if (transfer.code == CURLE_UNSUPPORTED_PROTOCOL &&
      transfer.detail.find("HTTP/0.9") != std::string::npos) {
    return {Fault::kConnection, transfer.host + kNoHttp};
  }
  for (const CodeMeaning& meaning : kMeanings) {
    if (meaning.code != transfer.code) continue;
    return {meaning.fault, meaning.before + transfer.host + meaning.after};
  }
  return {Fault::kConnection,
          "the transfer from " + transfer.host + " failed: " + curl_easy_strerror(transfer.code)};
}

std::string describe_status(long status, const std::string& host) {
  std::string text = "HTTP " + std::to_string(status);
  for (const StatusName& known : kStatusNames) {
    if (known.status == status) text += std::string(" ") + known.name;
  }
  return text + " from " + host;
}

std::string describe_too_large(const std::string& host, std::uint64_t max_bytes) {
  return host + " sent more than " + std::to_string(max_bytes) + " bytes";
}

std::string describe_pause(const std::string& host, std::chrono::steady_clock::duration pause) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(pause).count();
  return host + " has asked for a pause: no request for another " + std::to_string(seconds) + " s";
}

std::string describe_closed(const std::string& host) {
  return host + " is paused in imgpress.hosts";
}

std::string describe_turn(const std::string& host) {
  return "more downloads from " + host + " wait than its rate in imgpress.hosts allows";
}

}  // namespace imgpress::press
