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
  FetchStage(const PipelineSettings& settings, int poll_fd, TimePoint now);

  void reconfigure(const PipelineSettings& settings);
  void add(ImageTask task) { waiting_.emplace_back(std::move(task)); }
  void add(DeliveryTask task) { waiting_.emplace_back(std::move(task)); }

  struct Results {
    std::vector<FetchedImage> fetched;
    std::vector<ImageOutcome>* image_outcomes;
    std::vector<DeliveryOutcome>* delivery_outcomes;
  };
  // Takes answers, replaces a fetcher that has ended or hangs, and requests further transfers if
  // `may_start_more`.
  void turn(TimePoint now, bool may_start_more, Results& results);

  bool ready() const { return fetcher_.ready(); }
  TimePoint deadline() const { return fetcher_.deadline(); }
  std::size_t size() const { return waiting_.size() + in_flight_.size(); }

 private:
  using Task = std::variant<ImageTask, DeliveryTask>;

  void start_fetcher(TimePoint now);
  void take_outcome(FetchOutcome outcome, Results& results);
  void send_waiting(TimePoint now, Results& results);
  void replace(const PressEnded& ended, TimePoint now, Results& results);
  PacketSocket::Sent send(const Task& task, TimePoint now);
  static void report(const Task& task, Ending ending, const FetchOutcome& outcome,
                     Results& results);

  PipelineSettings settings_;
  int poll_fd_;
  FetcherClient fetcher_;
  std::deque<Task> waiting_;
  std::unordered_map<std::uint64_t, Task> in_flight_;
  std::uint64_t next_id_ = 1;
};

}  // namespace imgpress
