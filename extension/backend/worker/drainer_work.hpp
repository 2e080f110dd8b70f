// The drainer's work in one database while the extension is installed there: claims images and
// webhooks, passes them through the pipeline, and finishes them.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "drain/pipeline.hpp"
#include "backend/worker/queue.hpp"
#include "backend/settings.hpp"
#include "drain/window.hpp"
#include "backend/worker/worker_transaction.hpp"

#include "backend/bridge/postgres_api.hpp"

namespace imgpress {

// Lives in a memory context: its C++ parts are destroyed (and its presses ended) with that.
// Its functions are of the PostgreSQL zone, except where noted.
class DrainerWork {
 public:
  explicit DrainerWork(const Settings& config);  // C++ zone

  // Rescues what a predecessor left. Returns false when the extension is not installed.
  bool begin();
  void reconfigure(const Settings& config);
  // Somebody says that there is something to claim.
  void expect_work() { look_for_work_ = true; }

  // One turn of everything that is due. Returns false when the extension is gone.
  bool turn();
  int wait_fd() const { return pipeline_.wait_fd(); }
  // How long nothing will be due unless wait_fd() or the latch says so.
  long nap_ms() const;

  Pipeline::Load load() const { return pipeline_.load(); }
  uint64 finished() const { return finished_; }

 private:
  struct Claim;

  static int64 random_token();
  TransactionEnd claim();
  TransactionEnd finish();
  bool end_copies();
  bool claim_deliveries();
  bool finish_deliveries();
  bool keep_leases();
  bool must_finish() const;
  bool must_look() const;
  bool may_claim() const;
  int free_slots() const;
  int free_retry_slots() const;
  HeldCounts held_counts() const;
  void note_end(bool failed);

  // C++ zone.
  void turn_pipeline();
  void prepare_finish();
  void forget_finished();
  void note_claimed(const Claim& claim, const ClaimedImages& images);
  void note_claimed(const ClaimedDeliveries& deliveries);
  void start_claimed();
  void start_deliveries(int64 token);

  Settings config_;
  Queue queue_;
  Window window_;
  Pipeline pipeline_;
  int window_limit_;
  std::unordered_map<int64, int64> delivery_tokens_;  // by id of the delivery

  // The batch that is being finished: the first outcomes of the pipeline, as many as these.
  std::vector<FinishedImage> batch_;
  std::vector<DeliveryResult> delivery_batch_;
  std::vector<std::int64_t> ended_tokens_;  // leases that end with it
  FinishedBatch finished_batch_{};
  EndedCopies ended_copies_{};         // by the last transaction that ended some
  std::vector<ImageOutcome> put_off_;  // of requests that another session has locked
  TimePoint put_off_until_{};

  // Claimed in the transaction that is running.
  std::vector<std::pair<HeldImage, ImageTask>> claimed_images_;
  std::vector<DeliveryTask> claimed_deliveries_;

  bool look_for_work_ = true;
  std::size_t enough_held_ = 0;  // images; fewer, and more are claimed
  bool deliveries_due_ = false;
  TimestampTz next_due_ = DT_NOEND;
  TimestampTz copies_due_ = DT_NOEND;  // copies of ended images are to end
  TimestampTz next_look_ = 0;          // even if nobody asks
  TimestampTz renew_at_ = 0;
  TimestampTz not_before_ = 0;  // no transaction earlier: the last one failed
  TimestampTz deliveries_not_before_ = 0;
  long error_pause_ms_ = 0;
  TimePoint oldest_outcome_{};  // when the first of the waiting outcomes came
  uint64 finished_ = 0;
};

}  // namespace imgpress
