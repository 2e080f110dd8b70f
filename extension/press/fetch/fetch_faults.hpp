// Turns failures of libcurl and HTTP into faults with messages for the user.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "core/rules/fault.hpp"

namespace imgpress::press {

struct FailedTransfer {
  CURLcode code = CURLE_OK;
  std::string host;    // of the newest hop, with its port
  std::string detail;  // libcurl's own message
  bool connected = false;
  std::uint32_t timeout_ms = 0;
  std::uint32_t connect_timeout_ms = 0;
  std::uint64_t max_bytes = 0;
};

FaultError describe_failure(const FailedTransfer& transfer);

// "HTTP 404 Not Found from example.com"
std::string describe_status(long status, const std::string& host);

std::string describe_too_large(const std::string& host, std::uint64_t max_bytes);

// Why a download was not begun: the host has asked for a pause; an administrator has paused it, or
// has limited its rate.
std::string describe_pause(const std::string& host, std::chrono::steady_clock::duration pause);
std::string describe_closed(const std::string& host);
std::string describe_turn(const std::string& host);

}  // namespace imgpress::press
