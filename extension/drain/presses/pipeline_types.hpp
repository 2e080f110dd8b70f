// What goes into the pipeline and what comes out.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "channel/unique_fd.hpp"
#include "core/rules/fault.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/options.hpp"
#include "core/rules/verdict.hpp"

namespace imgpress {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

// What holds for any work of a press, whoever owns it.
struct PressSettings {
  std::string press_path;
  std::string allowed_networks;
  std::uint32_t connections_per_host = 1;
  std::uint64_t max_image_bytes = 0;
  std::uint64_t max_pixels = 0;
  std::uint32_t connect_timeout_ms = 0;
  std::uint32_t fetch_timeout_ms = 0;
  std::uint32_t webhook_timeout_ms = 0;
  std::uint32_t codec_cpu_seconds = 0;
};

struct PipelineSettings : PressSettings {
  std::size_t codecs = 1;
  std::size_t max_waiting_bytes = 0;  // downloaded images that no codec works on yet
};

struct ImageTask {
  std::uint64_t key = 0;
  std::string url;
  ImageOptions options;
};

// An image on its way from the fetcher to a codec.
struct FetchedImage {
  ImageTask task;
  UniqueFd source;  // sealed memfd
  std::uint64_t source_bytes = 0;
};

struct ImageOutcome {
  std::uint64_t key = 0;
  Ending ending = Ending::kDone;
  Fault fault = Fault::kNone;  // kNone if done, and only then
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  std::string reason;   // why it is not done
  std::string warning;  // what is remarkable about a success, if anything
  UniqueFd output;      // sealed memfd, if done
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  ImageFormat format = ImageFormat::kJpeg;
  std::string digest;       // of the output, as the codec tells it
  std::uint32_t width = 0;  // pixels, as stored
  std::uint32_t height = 0;
  bool kept_source = false;
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
  std::string reason;  // why it was not delivered
};

}  // namespace imgpress
