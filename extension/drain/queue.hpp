// The drainer's interface to a database, in plain value types.
//
// A call is submitted, then polled for its answer. An implementation may run it inside submit()
// (SPI), or between submit() and poll() (libpq). Each call is one transaction; its answer is valid
// only if the transaction was committed.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "channel/held_memory.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/host_rule.hpp"
#include "core/rules/options.hpp"
#include "core/rules/retry.hpp"
#include "drain/source_version.hpp"

namespace imgpress {

using RequestId = std::array<std::uint8_t, 16>;
using Milliseconds = std::chrono::milliseconds;

// How a call ended.
enum class CallEnd {
  kCommitted,
  kNotInstalled,  // the database has no imgpress of this version; nothing was done
  kBlocked,       // rolled back: somebody has locked a table, or the two would wait for each other
  kFailed,        // rolled back; the log says why
  kUnknown,       // the connection was lost during COMMIT: it may have been committed or not
};

// At the start: puts back the images and webhooks that a drainer of this number held when it ended.
struct RescueAnswer {};
struct RescueCall {
  using Answer = RescueAnswer;
  int drainer = 0;
};

struct ClaimedImage {
  RequestId request_id{};
  std::int32_t image_no = 0;
  std::string url;
  ImageOptions options;
  AttemptHistory history;
  std::string source_key{};  // of the URL, for this user and these options
  KnownSource known{};
  std::vector<std::string> headers{};  // of the download: secrets of its origin
};
struct ClaimAnswer {
  std::vector<ClaimedImage> images;
  bool more = false;  // another claim would find images at once
  // Time until the next retry and the next webhook are due, by the database's clock; nothing if
  // none is waiting.
  std::optional<Milliseconds> due_in;
  std::optional<Milliseconds> lone_due_in;  // of an image that must be claimed alone
  std::optional<Milliseconds> delivery_due_in;
};
// Claims images under one lease. The database chooses them: requests take turns. An image that was
// interrupted several times (history.alone) is claimed by an idle drainer, and no other with it.
struct ClaimCall {
  using Answer = ClaimAnswer;
  int drainer = 0;
  std::int64_t token = 0;
  int slots = 0;                                // most images
  int retry_slots = 0;                          // most retries among them
  std::vector<std::pair<RequestId, int>> held;  // images that this drainer holds, by request
  Milliseconds lease{};
  bool idle = false;  // works on no image
};

// What became of an image.
struct FinishedImage {
  std::uint64_t key = 0;  // of the drainer's window, see Window::hold()
  std::int64_t token = 0;
  RequestId request_id{};
  std::int32_t image_no = 0;
  ImageVerdict verdict;
  const char* error_code = nullptr;  // why it failed; nullptr if it is done
  std::string error;                 // the same in words
  int http_status = 0;               // 0: the server has not answered
  std::string warning;
  HeldMemory output;  // sealed memfd, if it is done
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  ImageFormat format = ImageFormat::kJpeg;
  std::string digest;  // of the output, computed by the codec: a validator for caches
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool kept_source = false;
  std::string source_key;
  SourceVersion source;      // that was downloaded; no digest: nothing was
  std::int64_t blob_id = 0;  // of the output that exists, if the image has not changed; else 0
};
struct FinishAnswer {
  std::vector<std::size_t> put_off;  // indexes of images whose rows are locked: to be sent again
  bool ended = false;                // a request has ended
};
// Records the ends of images in one transaction. Images that are no longer leased under their token
// are skipped, so repeating the call is harmless.
struct FinishCall {
  using Answer = FinishAnswer;
  std::vector<FinishedImage> images;
};

struct RenewAnswer {
  bool rescued = false;  // something was put back and can be claimed
  bool blocked = false;  // something could not be extended or put back: its row is locked
};
// Extends these leases, and puts back what is held under expired leases of other drainers.
struct RenewCall {
  using Answer = RenewAnswer;
  std::vector<std::int64_t> tokens;
  Milliseconds lease{};
};

struct ReleaseAnswer {};
// Puts back the images and webhooks under these leases. Nobody has worked on them, so their attempt
// does not count.
struct ReleaseCall {
  using Answer = ReleaseAnswer;
  std::vector<std::int64_t> tokens;
};

struct ClaimedDelivery {
  std::int64_t id = 0;
  std::string url;
  std::string payload;
  std::vector<std::string> headers;
  int attempts = 0;  // including this one
};
struct ClaimDeliveriesAnswer {
  std::vector<ClaimedDelivery> deliveries;
  std::optional<Milliseconds> due_in;  // until the next one is due; nothing if none is waiting
};
// Claims webhooks that are due. The database shares the slots out among their receivers.
struct ClaimDeliveriesCall {
  using Answer = ClaimDeliveriesAnswer;
  int drainer = 0;
  std::int64_t token = 0;
  int slots = 0;
  Milliseconds lease{};
  std::vector<std::int64_t> held;  // ids of those under way
};

struct FinishedDelivery {
  std::int64_t id = 0;
  std::int64_t token = 0;
  Verdict verdict;
  int http_status = 0;  // 0: the server has not answered
  std::string error;    // why it was not delivered; empty if it was
};
struct FinishDeliveriesAnswer {
  std::vector<std::size_t> put_off;  // as in FinishAnswer
};
struct FinishDeliveriesCall {
  using Answer = FinishDeliveriesAnswer;
  std::vector<FinishedDelivery> deliveries;
};

struct HostRulesAnswer {
  std::vector<HostRule> rules;
  std::optional<Milliseconds> changes_in;  // time until a pause ends
};
// Reads the rules for hosts.
struct HostRulesCall {
  using Answer = HostRulesAnswer;
};

using Call = std::variant<RescueCall, RenewCall, ReleaseCall, FinishCall, FinishDeliveriesCall,
                          HostRulesCall, ClaimCall, ClaimDeliveriesCall>;
using Answer =
    std::variant<RescueAnswer, RenewAnswer, ReleaseAnswer, FinishAnswer, FinishDeliveriesAnswer,
                 HostRulesAnswer, ClaimAnswer, ClaimDeliveriesAnswer>;

struct Ended {
  CallEnd end = CallEnd::kFailed;
  Answer answer;  // of the call's kind; meaningless unless committed
};

class Queue {
 public:
  virtual ~Queue() = default;

  // Begins a call. REQUIRES: no other call is open, and `call` outlives this one.
  // An implementation inside PostgreSQL may end the process in here (a FATAL error runs exit
  // handlers), so the caller must be in a state in which it can be destroyed.
  virtual void submit(const Call& call) = 0;

  // Returns the end of the open call, once; nothing while it is running.
  virtual std::optional<Ended> poll() = 0;
};

}  // namespace imgpress
