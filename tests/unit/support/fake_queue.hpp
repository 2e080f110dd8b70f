// A queue in memory with the contract of drain/queue.hpp: leases, retries, locked rows. A test can
// choose how the next call of a kind ends, and inspect all calls that were made.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drain/queue.hpp"
#include "support/fake_clock.hpp"

namespace imgpress::test {

class FakeQueue final : public Queue {
 public:
  enum class State { kFresh, kHeld, kRetry, kDone, kFailed };
  struct Image {
    RequestId request_id{};
    std::int32_t image_no = 0;
    State state = State::kFresh;
    std::int64_t token = 0;
    AttemptHistory history;
    TimePoint retry_at{};
    bool locked = false;  // by somebody else's transaction
    int times_recorded = 0;
    std::uint64_t output_bytes = 0;
  };
  struct Webhook {
    std::int64_t id = 0;
    std::int64_t token = 0;
    bool delivered = false;
    TimePoint due{};
    int attempts = 0;
    bool given_up = false;
    bool locked = false;  // by somebody else's transaction
  };

  explicit FakeQueue(FakeClock& clock) : clock_(clock) {}

  // The content of the database.
  std::vector<Image> images;
  std::vector<Webhook> webhooks;
  HostRulesAnswer host_rules;
  int claims_at_most = 1000;  // images in one claim, even if there are more slots
  bool others_ended = false;  // the next renewal puts back work of another drainer
  bool installed = true;
  bool async = false;       // calls stay open until complete()
  Clock::duration takes{};  // how long submit() blocks

  void add_request(std::uint8_t id, int count);
  int count(State state) const;

  // How the next call of this kind ends. `applied`: it changes the database nevertheless.
  template <typename C>
  void end_next(CallEnd end, bool applied = false) {
    next_ends_[kind<C>()].push_back({end, applied});
  }
  // All calls of this kind fail, until fail_all<C>(false).
  template <typename C>
  void fail_all(bool failing = true) {
    if (failing) {
      failing_.insert(kind<C>());
    } else {
      failing_.erase(kind<C>());
    }
  }

  // The calls that were made. FinishCalls carry outputs and are kept only as entries of the log.
  struct Log {
    std::size_t kind;
    TimePoint at;
    std::size_t size;  // finished images or deliveries
  };
  std::vector<Log> log;
  std::vector<ClaimCall> claims;
  std::vector<RenewCall> renewals;
  std::vector<ReleaseCall> releases;
  std::vector<RescueCall> rescues;
  template <typename C>
  std::vector<Log> calls() const {
    std::vector<Log> found;
    for (const Log& entry : log) {
      if (entry.kind == kind<C>()) found.push_back(entry);
    }
    return found;
  }

  // Runs inside submit(), before anything else.
  std::function<void(const Call&)> on_submit;
  void complete() { completed_ = true; }

  void submit(const Call& call) override;
  std::optional<Ended> poll() override;

 private:
  template <typename C>
  static std::size_t kind() {
    return Call(std::in_place_type<C>).index();
  }

  RescueAnswer carry_out(const RescueCall& call);
  RenewAnswer carry_out(const RenewCall& call);
  ReleaseAnswer carry_out(const ReleaseCall& call);
  FinishAnswer carry_out(const FinishCall& call);
  FinishDeliveriesAnswer carry_out(const FinishDeliveriesCall& call);
  HostRulesAnswer carry_out(const HostRulesCall&) { return host_rules; }
  ClaimAnswer carry_out(const ClaimCall& call);
  ClaimDeliveriesAnswer carry_out(const ClaimDeliveriesCall& call);
  static void record(Image& image, const FinishedImage& outcome, TimePoint now);
  std::optional<Milliseconds> image_due_in(bool alone) const;
  std::optional<Milliseconds> delivery_due_in() const;
  std::optional<Milliseconds> left_until(std::optional<TimePoint> moment) const;

  FakeClock& clock_;
  std::map<std::size_t, std::vector<std::pair<CallEnd, bool>>> next_ends_;
  std::set<std::size_t> failing_;
  std::optional<Ended> ended_;
  bool completed_ = false;
};

}  // namespace imgpress::test
