// The drainer: decides what to ask of the queue and when, and moves images between queue and
// pipeline. It knows no database, no process and no clock but the ones that it is given.
//
// Each kind of call has a time when it is due. One call is open at a time; the kinds take turns, so
// that none of them, however busy, holds up another. A call that failed is tried again after a
// pause that doubles each time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <vector>

#include "drain/deliveries.hpp"
#include "drain/pipeline/pipeline.hpp"
#include "drain/queue.hpp"
#include "drain/window.hpp"

namespace imgpress {

struct DrainerSettings {
  PipelineSettings pipeline;
  RetryLimits retry;
  int images_in_flight = 2;
  Milliseconds lease{};
  std::vector<std::int64_t> webhook_retry_delays_ms;  // the n-th follows the n-th attempt
};

// A source of monotonic time.
using Now = std::function<TimePoint()>;

class Drainer {
 public:
  // `number` tells this drainer from others of the same database. Queue and pipeline outlive it.
  Drainer(int number, DrainerSettings settings, Queue& queue, Pipeline& pipeline, Now now);

  void reconfigure(DrainerSettings settings);
  // Somebody says that there is something to claim.
  void expect_work();

  // Takes what has happened, and begins the next call that is due. Returns false when the extension
  // is not (or no longer) there. Throws what Pipeline::turn() throws.
  bool turn();
  // When the next turn() is due, if neither the pipeline nor the queue has something before.
  TimePoint deadline() const;

  std::uint64_t finished() const { return finished_; }  // images
  std::size_t held() const { return window_.size(); }

 private:
  static constexpr std::size_t kKinds = std::variant_size_v<Call>;

  // After an error.
  struct Pause {
    Clock::duration length{};
    TimePoint until{};
  };

  void take_outcomes();
  void begin_next_call();
  bool take_answer();
  void note_failure(std::size_t kind);
  void put_off(FinishedImage image, TimePoint now);
  double unit_random();

  TimePoint due_at(std::size_t kind) const;
  TimePoint asked_for(std::size_t kind) const;
  TimePoint paused_until(std::size_t kind) const;
  TimePoint finish_due_at() const;
  TimePoint claim_due_at() const;
  TimePoint claim_deliveries_due_at() const;
  int free_slots() const;
  int free_retry_slots() const;

  Call make_call(std::size_t kind);
  RenewCall make_renew();
  FinishCall make_finish();
  ClaimCall make_claim();
  ClaimDeliveriesCall make_claim_deliveries();

  // A call that was committed; one that was not.
  void take(RescueCall& call, RescueAnswer& answer);
  void take(RenewCall& call, RenewAnswer& answer);
  void take(ReleaseCall& call, ReleaseAnswer& answer);
  void take(FinishCall& call, FinishAnswer& answer);
  void take(FinishDeliveriesCall& call, FinishDeliveriesAnswer& answer);
  void take(ClaimCall& call, ClaimAnswer& answer);
  void take(ClaimDeliveriesCall& call, ClaimDeliveriesAnswer& answer);
  void undo(Call& call, CallEnd end);

  const int number_;
  DrainerSettings settings_;
  Queue& queue_;
  Pipeline& pipeline_;
  const Now now_;
  std::mt19937_64 random_{std::random_device{}()};

  std::optional<Call> call_;  // that is open
  std::size_t last_kind_ = 0;
  std::array<Pause, kKinds> pauses_{};
  Clock::duration absence_{};  // how long a call keeps us, lately
  bool rescued_ = false;
  TimePoint renew_at_{};
  std::vector<std::int64_t> lost_tokens_;  // of claims that may have happened

  Window window_;
  std::deque<FinishedImage> ended_;  // to be recorded
  TimePoint ended_since_{};          // when the first of them came
  std::vector<FinishedImage> put_off_;
  TimePoint put_off_until_{};
  Clock::duration put_off_pause_{};
  std::uint64_t finished_ = 0;

  bool look_ = true;             // for something to claim
  TimePoint next_due_{};         // something will be there
  TimePoint next_look_{};        // even if nobody asks
  std::size_t enough_held_ = 0;  // images; fewer, and more are claimed

  Deliveries deliveries_;
  bool look_for_deliveries_ = true;
  TimePoint next_delivery_ = TimePoint::max();  // one will be due
};

}  // namespace imgpress
