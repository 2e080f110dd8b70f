// What goes into the pipeline and what comes out.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "channel/unique_fd.hpp"
#include "core/effort.hpp"
#include "core/fault.hpp"
#include "core/wire.hpp"

namespace imgpress {

// A press that ends so often before it has answered anything cannot work at all: that is no fault
// of the images, and starting it again and again would help nobody.
constexpr int kMaxDeathsInARow = 6;

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

struct PipelineSettings {
  std::string press_path;
  std::string allowed_networks;
  std::uint32_t connections_per_host = 0;
  std::uint64_t max_image_bytes = 0;
  std::uint64_t max_pixels = 0;
  std::uint32_t connect_timeout_ms = 0;
  std::uint32_t fetch_timeout_ms = 0;
  std::uint32_t webhook_timeout_ms = 0;
  std::uint32_t codec_cpu_seconds = 0;
  bool accept_truncated = false;
  std::size_t codecs = 1;
  std::size_t max_waiting_bytes = 0;  // downloaded images that no codec has taken yet
};

struct ImageTask {
  std::uint64_t key = 0;
  std::string url;
  int quality = 50;
  Effort effort = Effort::kBalanced;
};

// An image on its way from the fetcher to a codec.
struct FetchedImage {
  ImageTask task;
  UniqueFd source;  // sealed memfd
  std::uint64_t source_bytes = 0;
};

struct ImageOutcome {
  std::uint64_t key = 0;
  Fault fault = Fault::kNone;
  bool codec_died = false;   // this image ended the codec that held it
  bool interrupted = false;  // no fault of the image's: its fetcher ended, or its host is paused
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  std::string message;
  UniqueFd output;  // sealed memfd, when fault is kNone
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  wire::CompressReply image;  // format, size in pixels, kept_source
};

struct DeliveryTask {
  std::uint64_t key = 0;
  std::string url;
  std::vector<std::string> headers;
  std::string body;
};

struct DeliveryOutcome {
  std::uint64_t key = 0;
  Fault fault = Fault::kNone;
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  std::string message;
};

}  // namespace imgpress
