// The drainer moves images and webhook deliveries between the queue (the database) and the pipeline
// (the presses), and decides when to call the queue. Queue, pipeline and clock are handed in.
//
// Each kind of call has a time when it is due. One call is open at a time, and the kinds take
// turns, so that a busy kind does not hold up another. A call that failed is repeated after a
// pause, which doubles with every further failure up to a few seconds.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <vector>

#include "drain/deliveries.hpp"
#include "drain/ended_images.hpp"
#include "drain/pipeline/pipeline.hpp"
#include "drain/queue.hpp"
#include "drain/window.hpp"

namespace imgpress {

struct DrainerSettings {
  PipelineSettings pipeline;
  RetryLimits retry;
  // Claimed and not recorded yet, at most. Not counted, up to as many again, are those whose rows
  // are locked and those whose downloads hang.
  int images_in_flight = 2;
  Milliseconds lease{};
  std::vector<std::int64_t> webhook_retry_delays_ms;  // the n-th follows the n-th attempt
};

// A source of monotonic time.
using Now = std::function<TimePoint()>;

class Drainer {
 public:
  // `number` is unique among the drainers of a database. Queue and pipeline outlive the drainer.
  Drainer(int number, DrainerSettings settings, Queue& queue, Pipeline& pipeline, Now now);

  void reconfigure(DrainerSettings settings);
  // There may be something to claim.
  void expect_work();

  // Collects what has ended, and begins the next call that is due. Returns false when the extension
  // is not installed in the database. Throws what Pipeline::turn() throws.
  bool turn();
  // When to call turn() again, unless the pipeline or the queue has an answer earlier.
  TimePoint deadline() const;

  std::uint64_t finished() const { return finished_; }  // images
  std::size_t held() const { return window_.size(); }

 private:
  static constexpr std::size_t kKinds = std::variant_size_v<Call>;

  // After errors of one kind of call.
  struct Pause {
    Clock::duration length{};
    TimePoint until{};
  };

  void take_outcomes();
  void begin_next_call();
  bool take_answer();
  void note_failure(std::size_t kind, CallEnd end);
  double unit_random();

  TimePoint due_at(std::size_t kind) const;
  TimePoint wanted_at(std::size_t kind) const;
  TimePoint paused_until(std::size_t kind) const;
  TimePoint claim_due_at() const;
  TimePoint claim_deliveries_due_at() const;
  int free_slots() const;
  int free_retry_slots() const;
  std::size_t under_way() const;
  bool is_idle() const;
  bool lone_is_due() const;

  Call make_call(std::size_t kind);
  RenewCall make_renew();
  HostRulesCall make_read_host_rules();
  ClaimCall make_claim();
  ClaimDeliveriesCall make_claim_deliveries();

  // take(): the call was committed. undo(): it was not, or perhaps not.
  void take(RescueCall& call, RescueAnswer& answer);
  void take(RenewCall& call, RenewAnswer& answer);
  void take(ReleaseCall& call, ReleaseAnswer& answer);
  void take(FinishCall& call, FinishAnswer& answer);
  void take(FinishDeliveriesCall& call, FinishDeliveriesAnswer& answer);
  void take(HostRulesCall& call, HostRulesAnswer& answer);
  void take(ClaimCall& call, ClaimAnswer& answer);
  void take(ClaimDeliveriesCall& call, ClaimDeliveriesAnswer& answer);
  void undo(Call& call, CallEnd end);

  const int number_;
  DrainerSettings settings_;
  Queue& queue_;
  Pipeline& pipeline_;
  const Now now_;
  std::mt19937_64 random_{std::random_device{}()};

  std::optional<Call> call_;  // the open one
  std::size_t last_kind_ = 0;
  std::array<Pause, kKinds> pauses_{};
  Clock::duration absence_{};  // how long recent calls blocked the drainer
  bool rescued_ = false;
  TimePoint renew_at_{};
  std::vector<std::int64_t> lost_tokens_;  // of claims whose commit is uncertain

  Window window_;
  EndedImages ended_;
  std::uint64_t finished_ = 0;

  TimePoint read_host_rules_at_{};
  TimePoint host_rules_read_at_{};

  bool claim_wanted_ = true;
  TimePoint next_retry_{};        // when an image in the database is due again
  TimePoint next_claim_{};        // when to claim even if nothing is known to be due
  std::size_t hanging_ = 0;       // as the pipeline said last
  std::size_t refill_below_ = 0;  // claim when no more images than this are under way

  // For an image that must be alone nothing else is claimed until it has ended. Then others have
  // their turn for as long as it took.
  TimePoint next_lone_ = TimePoint::max();  // when one is due
  std::uint64_t lone_key_ = 0;              // of the one that is under way; 0: none
  TimePoint lone_since_{};
  TimePoint no_lone_before_{};

  Deliveries deliveries_;
  bool deliveries_wanted_ = true;
  TimePoint next_delivery_ = TimePoint::max();  // when one in the database is due
};

}  // namespace imgpress
