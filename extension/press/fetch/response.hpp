// What libcurl knows of an origin's answer.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "core/net/retry_after.hpp"
#include "core/net/url.hpp"
#include "core/net/validators.hpp"

namespace imgpress::press {

constexpr long kNotModified = 304;

inline long last_status(CURL* easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

inline bool is_success(long status) {
  return status / 100 == 2;
}

// An answer with a part of the file (206) was not asked for and cannot be used.
inline bool is_whole_file(long status) {
  return is_success(status) && status != 206;
}

// A header of the last answer; empty if it is not there.
inline std::string_view header_of(CURL* easy, const char* name) {
  curl_header* header = nullptr;
  if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return {};
  return header->value;
}

inline std::uint32_t retry_after(CURL* easy) {
  const std::string_view value = header_of(easy, "Retry-After");
  return value.empty() ? 0 : retry_after_seconds(value, std::time(nullptr));
}

inline bool was_redirected(CURL* easy) {
  long redirects = 0;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
  return redirects > 0;
}

// None after a redirect: they are those of another URL, to which it may not lead the next time.
inline Validators validators_of(CURL* easy) {
  if (was_redirected(easy)) return {};
  return usable_validators(header_of(easy, "ETag"), header_of(easy, "Last-Modified"),
                           header_of(easy, "Date"), std::time(nullptr));
}

// The host of the newest hop of a transfer that may have been redirected.
inline std::string newest_host(CURL* easy, const std::string& fallback) {
  const char* url = nullptr;
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
  std::string host = url != nullptr ? host_of(url) : std::string();
  return host.empty() ? fallback : host;
}

}  // namespace imgpress::press
