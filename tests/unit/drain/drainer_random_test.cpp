// The drainer under random events: calls end in every possible way, answers come at any moment,
// rows are locked, settings change. Each image must be recorded exactly once with the press's
// result, nothing may be held for ever, and the drainer must neither spin nor sleep while there is
// work. To repeat a failing run: IMGPRESS_SEED=n.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "drain/drainer.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_queue.hpp"

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::FakeClock;
using test::FakeQueue;
using State = FakeQueue::State;

constexpr int kTurnsAtOneMoment = 500;

// Like the real pipeline: the answer of a press waits, readable, until turn() takes it.
class RandomPipeline final : public Pipeline {
 public:
  bool is_ready = true;
  std::vector<ImageTask> images;
  std::vector<DeliveryTask> deliveries;
  std::map<std::uint64_t, ImageOutcome> told;  // by key, without the output

  void reconfigure(const PipelineSettings&, TimePoint) override {}
  void set_host_rules(std::vector<HostRule>) override {}
  bool ready() const override { return is_ready; }
  void add(ImageTask task) override { images.push_back(std::move(task)); }
  void add(DeliveryTask task) override { deliveries.push_back(std::move(task)); }
  std::size_t hanging() const override { return images.size() / 4; }
  void expect_absence(Clock::duration) override {}
  void turn(TimePoint) override {
    std::move(arrived_.begin(), arrived_.end(), std::back_inserter(image_outcomes_));
    arrived_.clear();
    delivery_outcomes_.insert(delivery_outcomes_.end(), told_deliveries_.begin(),
                              told_deliveries_.end());
    told_deliveries_.clear();
  }
  TimePoint deadline() const override { return TimePoint::max(); }

  bool readable() const { return !arrived_.empty() || !told_deliveries_.empty(); }
  bool left_lying() const { return !image_outcomes_.empty() || !delivery_outcomes_.empty(); }

  template <typename Random>
  void answer_image(Random& random) {
    const std::size_t which = random() % images.size();
    ImageOutcome outcome;
    outcome.key = images[which].key;
    images.erase(images.begin() + static_cast<std::ptrdiff_t>(which));
    outcome.source_bytes = 30'000'000;
    switch (random() % 8) {
      case 0:
        outcome.ending = Ending::kFailed;
        outcome.fault = random() % 2 == 0 ? Fault::kTimeout : Fault::kNotAnImage;
        break;
      case 1:
        outcome.ending = random() % 2 == 0 ? Ending::kKilledCodec : Ending::kInterrupted;
        outcome.fault = Fault::kPressDied;
        break;
      default:
        outcome.output_bytes = 1 + random() % (random() % 10 == 0 ? 20'000'000 : 100'000);
    }
    ImageOutcome copy;
    copy.ending = outcome.ending;
    copy.output_bytes = outcome.output_bytes;
    told[outcome.key] = std::move(copy);
    arrived_.push_back(std::move(outcome));
  }
  template <typename Random>
  void answer_delivery(Random& random) {
    DeliveryOutcome outcome;
    outcome.key = deliveries.front().key;
    deliveries.erase(deliveries.begin());
    if (random() % 3 == 0) {
      outcome.fault = Fault::kTimeout;
      outcome.reason = "as the test wants it";
    }
    told_deliveries_.push_back(std::move(outcome));
  }

 private:
  std::vector<ImageOutcome> arrived_;
  std::vector<DeliveryOutcome> told_deliveries_;
};

// Checks each call before the queue gets it, and its end.
class WatchedQueue final : public Queue {
 public:
  WatchedQueue(FakeQueue& queue, RandomPipeline& pipeline, FakeClock& clock)
      : queue_(queue), pipeline_(pipeline), clock_(clock) {}

  void submit(const Call& call) override {
    ASSERT_EQ(open_, nullptr) << "two calls at once";
    open_ = &call;
    if (std::holds_alternative<RenewCall>(call)) renewed_at = clock_.now();
    if (const auto* finish = std::get_if<FinishCall>(&call)) check(*finish);
    queue_.submit(call);
  }
  std::optional<Ended> poll() override {
    auto ended = queue_.poll();
    if (!ended) return ended;
    const auto* finish = std::get_if<FinishCall>(open_);
    if (finish != nullptr && ended->end == CallEnd::kCommitted) {
      note(*finish, std::get<FinishAnswer>(ended->answer));
    }
    open_ = nullptr;
    return ended;
  }
  bool open() const { return open_ != nullptr; }

  TimePoint renewed_at{};

 private:
  void check(const FinishCall& call) {
    ASSERT_FALSE(call.images.empty());
    std::set<std::uint64_t> keys;
    std::uint64_t bytes = 0;
    for (const FinishedImage& image : call.images) {
      EXPECT_TRUE(keys.insert(image.key).second) << "twice in a batch";
      EXPECT_EQ(recorded_.count(image.key), 0u) << "it is certain already";
      const ImageOutcome& told = pipeline_.told.at(image.key);
      EXPECT_EQ(image.verdict.kind == Verdict::Kind::kDone, told.ending == Ending::kDone);
      EXPECT_EQ(image.output_bytes, told.output_bytes);
      bytes += image.output_bytes;
    }
    EXPECT_LE(call.images.size(), 64u);
    EXPECT_TRUE(call.images.size() == 1 || bytes <= 8 << 20) << bytes;
  }
  void note(const FinishCall& call, const FinishAnswer& answer) {
    for (std::size_t i = 0; i < call.images.size(); ++i) {
      if (std::find(answer.put_off.begin(), answer.put_off.end(), i) == answer.put_off.end()) {
        recorded_.insert(call.images[i].key);
      }
    }
  }

  FakeQueue& queue_;
  RandomPipeline& pipeline_;
  FakeClock& clock_;
  const Call* open_ = nullptr;
  std::set<std::uint64_t> recorded_;
};

class RandomDrainerTest : public testing::TestWithParam<unsigned> {
 protected:
  RandomDrainerTest() {
    settings_.images_in_flight = 64;
    settings_.retry = {3, 1000, 60'000};
    settings_.lease = minutes(5);
    settings_.webhook_retry_delays_ms.assign(1000, 5'000);
    drainer_ = std::make_unique<Drainer>(1, settings_, watched_, pipeline_, clock_.source());
    watched_.renewed_at = clock_.now();
    queue_.on_submit = [this](const Call&) {
      if (chance(3) && !pipeline_.images.empty()) pipeline_.answer_image(random_);
    };
  }

  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

  bool readable() const { return pipeline_.readable() || (watched_.open() && completed_); }

  // As the process that owns a drainer: turns while something is readable or due, sleeps until
  // `end`.
  void pass(Clock::duration time) {
    const TimePoint end = clock_.now() + time;
    TimePoint moment{};
    int turns = 0;
    while (!HasFatalFailure()) {
      const TimePoint wake = readable() ? clock_.now() : drainer_->deadline();
      if (wake > end) break;
      if (wake > clock_.now()) clock_.pass(wake - clock_.now());
      turns = moment == clock_.now() ? turns + 1 : 0;
      moment = clock_.now();
      ASSERT_LT(turns, kTurnsAtOneMoment) << "the drainer spins";
      turn();
    }
    if (end > clock_.now()) clock_.pass(end - clock_.now());
  }
  void turn() {
    const bool was_open = watched_.open();
    ASSERT_TRUE(drainer_->turn());
    if (!was_open && watched_.open()) completed_ = false;
    const bool awake = readable() || drainer_->deadline() <= clock_.now();
    EXPECT_TRUE(awake || !pipeline_.left_lying()) << "it sleeps although an answer is there";
    EXPECT_LE(clock_.now() - watched_.renewed_at, settings_.lease) << "leases have run out";
  }

  template <typename C>
  void spoil() {
    const bool unknown = chance(50);
    queue_.end_next<C>(unknown ? CallEnd::kUnknown : CallEnd::kFailed, unknown && chance(50));
  }
  void spoil_some_call() {
    switch (random_() % 6) {
      case 0:
        return spoil<ClaimCall>();
      case 1:
        return spoil<FinishCall>();
      case 2:
        return spoil<RenewCall>();
      case 3:
        return spoil<ReleaseCall>();
      case 4:
        return spoil<ClaimDeliveriesCall>();
      default:
        return spoil<FinishDeliveriesCall>();
    }
  }
  void complete() {
    completed_ = true;
    queue_.complete();
  }
  void add_work() {
    queue_.add_request(next_request_++, 1 + static_cast<int>(random_() % 80));
    if (chance(30)) queue_.webhooks.push_back({next_webhook_++, 0, false, clock_.now()});
    drainer_->expect_work();
  }
  void something_happens() {
    const int what = static_cast<int>(random_() % 100);
    if (what < 4) {
      if (next_request_ < 20) add_work();
    } else if (what < 12) {
      spoil_some_call();
    } else if (what < 20) {
      auto& images = queue_.images;
      if (!images.empty()) {
        auto& image = images[random_() % images.size()];
        image.locked = !image.locked;
      }
    } else if (what < 22) {
      settings_.images_in_flight = 2 + static_cast<int>(random_() % 100);
      drainer_->reconfigure(settings_);
    } else if (what < 24) {
      pipeline_.is_ready = chance(80);
    } else if (what < 26 && !watched_.open()) {
      queue_.async = chance(50);
      completed_ = true;
    } else if (what < 50) {
      complete();
    } else if (what < 55) {
      if (!pipeline_.deliveries.empty()) pipeline_.answer_delivery(random_);
    } else {
      for (int n = static_cast<int>(random_() % 20); n > 0 && !pipeline_.images.empty(); --n) {
        pipeline_.answer_image(random_);
      }
    }
  }
  // From now on all calls succeed; runs until all work is done.
  void calm_down() {
    for (auto& image : queue_.images) image.locked = false;
    pipeline_.is_ready = true;
    for (int step = 0; step < 20'000 && !is_over(); ++step) {  // pauses after errors add up
      if (!watched_.open()) queue_.async = false;
      complete();
      while (!pipeline_.images.empty()) pipeline_.answer_image(random_);
      while (!pipeline_.deliveries.empty()) pipeline_.answer_delivery(random_);
      pass(milliseconds(500));
      if (HasFatalFailure()) return;
    }
  }
  bool is_over() const {
    const auto delivered = [](const auto& webhook) { return webhook.delivered; };
    return queue_.count(State::kDone) + queue_.count(State::kFailed) ==
               static_cast<int>(queue_.images.size()) &&
           drainer_->held() == 0 &&
           std::all_of(queue_.webhooks.begin(), queue_.webhooks.end(), delivered);
  }

  std::mt19937 random_{GetParam()};
  FakeClock clock_;
  FakeQueue queue_{clock_};
  RandomPipeline pipeline_;
  WatchedQueue watched_{queue_, pipeline_, clock_};
  DrainerSettings settings_;
  std::unique_ptr<Drainer> drainer_;
  bool completed_ = true;
  std::uint8_t next_request_ = 1;
  std::int64_t next_webhook_ = 1;
};

TEST_P(RandomDrainerTest, NothingIsLostAndNothingSpins) {
  for (int step = 0; step < 1500 && !HasFailure(); ++step) {
    something_happens();
    pass(milliseconds(random_() % (chance(2) ? 20'000 : 100)));
  }
  if (HasFailure()) return;
  calm_down();
  EXPECT_EQ(queue_.count(State::kDone) + queue_.count(State::kFailed),
            static_cast<int>(queue_.images.size()));
  EXPECT_EQ(drainer_->held(), 0u);
  EXPECT_TRUE(is_over());
}

std::vector<unsigned> seeds() {
  if (const char* seed = std::getenv("IMGPRESS_SEED")) {
    return {static_cast<unsigned>(std::strtoul(seed, nullptr, 10))};
  }
  std::vector<unsigned> seeds(20);
  for (unsigned i = 0; i < seeds.size(); ++i) seeds[i] = i + 1;
  return seeds;
}

INSTANTIATE_TEST_SUITE_P(Days, RandomDrainerTest, testing::ValuesIn(seeds()));

}  // namespace
}  // namespace imgpress
