// What goes through the pipeline: images and webhooks to be delivered, as tasks and as outcomes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "channel/held_memory.hpp"
#include "core/rules/fault.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/options.hpp"
#include "core/rules/retry.hpp"
#include "drain/source_version.hpp"

namespace imgpress {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

struct ImageTask {
  std::uint64_t key = 0;
  std::string url;
  ImageOptions options;
  KnownSource known{};
  std::vector<std::string> headers{};  // of the download: secrets of its origin
};

// An image on its way from the fetcher to a codec.
struct FetchedImage {
  ImageTask task;
  int http_status = 0;  // of the answer that brought it
  HeldMemory source;    // sealed memfd
  std::uint64_t source_bytes = 0;
  bool is_large = false;  // it may take all of a codec's memory
  SourceVersion version{};
};

struct ImageOutcome {
  std::uint64_t key = 0;
  Ending ending = Ending::kDone;
  Fault fault = Fault::kNone;  // kNone if done, and only then
  int http_status = 0;         // 0: the server has not answered
  std::uint32_t retry_after_seconds = 0;
  std::string reason;   // why it is not done
  std::string warning;  // something that the user should know although it is done
  HeldMemory output;    // sealed memfd, if done
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  ImageFormat format = ImageFormat::kJpeg;
  std::string digest;       // of the output, as the codec reports it
  std::uint32_t width = 0;  // pixels, as stored
  std::uint32_t height = 0;
  bool kept_source = false;
  SourceVersion source;      // as in FinishedImage
  std::int64_t blob_id = 0;  // likewise
};

struct DeliveryTask {
  std::uint64_t key = 0;
  std::string url;
  std::vector<std::string> headers;
  std::string body;
  int interruptions = 0;  // fetchers that have ended with it
};

struct DeliveryOutcome {
  std::uint64_t key = 0;
  Fault fault = Fault::kNone;
  int http_status = 0;
  std::uint32_t retry_after_seconds = 0;
  std::string reason;  // why it was not delivered
};

}  // namespace imgpress
