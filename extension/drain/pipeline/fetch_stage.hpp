// The first half of the pipeline: images and webhooks on their way to and through the fetcher.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "drain/presses/fetcher_client.hpp"

namespace imgpress {

class FetchStage {
 public:
  // `memory`: of all images of the pipeline's owner.
  FetchStage(const PipelineSettings& settings, int poll_fd, std::shared_ptr<MemoryLedger> memory,
             TimePoint now);

  void reconfigure(const PipelineSettings& settings);
  void set_host_rules(std::vector<HostRule> rules) { fetcher_.set_host_rules(std::move(rules)); }
  void add(ImageTask task) { waiting_.emplace_back(std::move(task)); }
  void add(DeliveryTask task) { waiting_.emplace_back(std::move(task)); }

  struct Results {
    std::vector<FetchedImage> fetched;
    std::vector<ImageOutcome>* image_outcomes;
    std::vector<DeliveryOutcome>* delivery_outcomes;
  };
  // Takes answers, replaces a fetcher that has ended or hangs, and requests further transfers.
  void turn(TimePoint now, Results& results);
  // To be called after changes to what the ledger says.
  void tell_memory(TimePoint now) { fetcher_.tell_memory(now); }

  bool ready() const { return fetcher_.ready(); }
  TimePoint deadline() const;
  // Transfers without an answer for so long that others should not wait for their places.
  std::size_t hanging() const { return hanging_; }
  const FetcherClient& fetcher() const { return fetcher_; }
  std::uint64_t memory_use() const { return fetcher_.memory_use(); }
  std::size_t size() const { return waiting_.size() + in_flight_.size(); }

 private:
  using Task = std::variant<ImageTask, DeliveryTask>;
  struct InFlight {
    Task task;
    TimePoint since;
  };

  void start_fetcher(TimePoint now);
  void take_outcome(FetchOutcome outcome, Results& results);
  void send_waiting(TimePoint now, Results& results);
  void count_hanging(TimePoint now);
  void replace(const PressEnded& ended, TimePoint now, Results& results);
  PacketSocket::Sent send(const Task& task, TimePoint now);
  static void report(const Task& task, Ending ending, const FetchOutcome& outcome,
                     Results& results);

  PipelineSettings settings_;
  int poll_fd_;
  std::shared_ptr<MemoryLedger> memory_;
  FetcherClient fetcher_;
  std::deque<Task> waiting_;
  std::unordered_map<std::uint64_t, InFlight> in_flight_;
  std::size_t hanging_ = 0;
  TimePoint next_count_{};  // of those that hang
  std::uint64_t next_id_ = 1;
};

}  // namespace imgpress
