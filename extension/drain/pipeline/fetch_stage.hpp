// The first half of the pipeline: images (and webhooks) that wait for, or are with, the fetcher.
#pragma once

#include <deque>
#include <map>
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
  void add(ImageTask task);
  void add(DeliveryTask task);

  struct Results {
    std::vector<FetchedImage> fetched;
    std::vector<ImageOutcome>* image_outcomes;
    std::vector<DeliveryOutcome>* delivery_outcomes;
  };
  // Takes answers; replaces a fetcher that ended or hangs; hands out work if `may_start_more`.
  void turn(TimePoint now, bool may_start_more, Results& results);

  bool ready() const { return fetcher_.ready(); }
  TimePoint deadline() const;
  std::size_t size() const { return waiting_.size() + in_flight_.size(); }

 private:
  struct Task {
    std::variant<ImageTask, DeliveryTask> what;
    std::string host;
  };

  void start_fetcher(TimePoint now);
  void take_result(FetchResult result, TimePoint now, Results& results);
  void send_waiting(TimePoint now, Results& results);
  TimePoint paused_until(const Task& task, TimePoint now) const;
  void replace(const PressEnded& ended, TimePoint now, Results& results);
  void pause_host(const std::string& host, std::uint32_t seconds, TimePoint now);
  enum class Sent { kYes, kNo, kNever };
  Sent send(const Task& task, TimePoint now);
  static void refuse(const Task& task, Results& results);
  static void report(const Task& task, Ending ending, const FetchResult& result, Results& results);

  PipelineSettings settings_;
  int poll_fd_;
  FetcherClient fetcher_;
  std::deque<Task> waiting_;
  std::unordered_map<std::uint64_t, Task> in_flight_;
  std::map<std::string, TimePoint> paused_hosts_;
  std::uint64_t next_id_ = 1;
};

}  // namespace imgpress
