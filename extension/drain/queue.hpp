// The drainer's one interface to a database, in value types.
//
// A call is submitted, and its answer is asked for until it is there: an implementation may carry
// it out while it is submitted (SPI), or meanwhile (libpq). One call is open at a time. Each is one
// transaction, and what it answers counts only when that has been committed.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "channel/unique_fd.hpp"
#include "core/rules/formats.hpp"
#include "core/rules/options.hpp"
#include "core/rules/verdict.hpp"

namespace imgpress {

using RequestId = std::array<std::uint8_t, 16>;
using Milliseconds = std::chrono::milliseconds;

// How a call ended.
enum class CallEnd {
  kCommitted,
  kNotInstalled,  // the extension (of our version) is not in this database: nothing was done
  kFailed,        // rolled back, and said in the log why
  kUnknown,       // the answer to a COMMIT was lost: it may have happened or not
};

// Takes back what a drainer of this number held when it ended: images and webhooks.
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
};
struct ClaimAnswer {
  std::vector<ClaimedImage> images;
  bool more = false;  // another claim would find images at once
  // How long until something is due that nobody announces, by the database's clock; never, without.
  std::optional<Milliseconds> due_in;           // images
  std::optional<Milliseconds> delivery_due_in;  // webhooks
};
// Claims images under one lease. Which ones, the database decides: the requests take turns.
struct ClaimCall {
  using Answer = ClaimAnswer;
  int drainer = 0;
  std::int64_t token = 0;
  int slots = 0;                                // images at the most
  int retry_slots = 0;                          // of them, images that were tried before
  std::vector<std::pair<RequestId, int>> held;  // images that this drainer holds, by request
  Milliseconds lease{};
};

// What became of an image.
struct FinishedImage {
  std::uint64_t key = 0;  // the drainer's own
  std::int64_t token = 0;
  RequestId request_id{};
  std::int32_t image_no = 0;
  ImageVerdict verdict;
  const char* error_code = nullptr;  // if it is not done
  std::string error;
  int http_status = 0;  // 0: the server has not answered
  std::string warning;
  UniqueFd output;  // sealed memfd, if it is done
  std::uint64_t source_bytes = 0;
  std::uint64_t output_bytes = 0;
  ImageFormat format = ImageFormat::kJpeg;
  std::string digest;  // of the output's bytes, as the codec tells it: a hint for caches
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool kept_source = false;
};
struct FinishAnswer {
  std::vector<std::size_t> put_off;  // indexes: somebody has locked the row; offer it again later
  bool ended = false;                // a request has ended
};
// Records what became of images, all or nothing, each fenced by its token. Doing so twice is
// harmless: what is recorded is not the drainer's any more.
struct FinishCall {
  using Answer = FinishAnswer;
  std::vector<FinishedImage> images;
};

struct RenewAnswer {
  bool rescued = false;  // there is something to claim
};
// Keeps the leases of these tokens, and takes back what drainers that are gone held.
struct RenewCall {
  using Answer = RenewAnswer;
  std::vector<std::int64_t> tokens;
  Milliseconds lease{};
};

struct ReleaseAnswer {};
// Gives back the images and webhooks that are held under these tokens; uncounted, since nobody has
// worked on them.
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
  std::optional<Milliseconds> due_in;  // the next one
};
struct ClaimDeliveriesCall {
  using Answer = ClaimDeliveriesAnswer;
  int drainer = 0;
  std::int64_t token = 0;
  int slots = 0;
  Milliseconds lease{};
};

struct FinishedDelivery {
  std::int64_t id = 0;
  std::int64_t token = 0;
  Verdict verdict;
  int http_status = 0;  // 0: the server has not answered
  std::string error;    // if it was not delivered
};
struct FinishDeliveriesAnswer {};
struct FinishDeliveriesCall {
  using Answer = FinishDeliveriesAnswer;
  std::vector<FinishedDelivery> deliveries;
};

using Call = std::variant<RescueCall, RenewCall, ReleaseCall, FinishCall, FinishDeliveriesCall,
                          ClaimCall, ClaimDeliveriesCall>;
using Answer = std::variant<RescueAnswer, RenewAnswer, ReleaseAnswer, FinishAnswer,
                            FinishDeliveriesAnswer, ClaimAnswer, ClaimDeliveriesAnswer>;

struct Ended {
  CallEnd end = CallEnd::kFailed;
  Answer answer;  // of the call's own kind, if committed
};

class Queue {
 public:
  virtual ~Queue() = default;

  // Begins a call, which stays valid until it has ended. REQUIRES: no other one is open.
  // An implementation inside PostgreSQL may end the process in here: whoever calls must be in a
  // state in which it can be destroyed.
  virtual void submit(const Call& call) = 0;

  // How the open call ended, once; nothing while it goes on.
  virtual std::optional<Ended> poll() = 0;
};

}  // namespace imgpress
