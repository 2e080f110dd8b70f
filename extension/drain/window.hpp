// What a drainer holds: the images it has claimed, under which lease, for which request.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "drain/presses/work_items.hpp"
#include "drain/queue.hpp"

namespace imgpress {

class Window {
 public:
  // Returns the key under which the pipeline knows the image.
  std::uint64_t hold(std::int64_t token, const ClaimedImage& image);

  std::size_t size() const { return images_.size(); }
  const std::map<RequestId, int>& held_per_request() const { return per_request_; }
  std::size_t held_retries() const { return retries_; }
  std::vector<std::int64_t> tokens() const;

  // What is to be recorded of an image whose attempt has ended so; it stays held until release().
  // REQUIRES: it is held.
  FinishedImage judge(ImageOutcome outcome, const RetryLimits& limits, double unit_random);

  // REQUIRES: the image is held.
  void release(std::uint64_t key);

 private:
  struct Held {
    std::int64_t token;
    RequestId request_id;
    std::int32_t image_no;
    AttemptHistory history;
  };

  std::unordered_map<std::uint64_t, Held> images_;
  std::unordered_map<std::int64_t, int> per_token_;
  std::map<RequestId, int> per_request_;
  std::size_t retries_ = 0;  // held images that are not at their first attempt
  std::uint64_t next_key_ = 1;
};

}  // namespace imgpress
