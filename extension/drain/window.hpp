// The images that a drainer has claimed and not recorded yet, with their leases and requests.
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
  // Returns a key that identifies the image in the pipeline.
  std::uint64_t hold(std::int64_t token, const ClaimedImage& image);

  std::size_t size() const { return images_.size(); }
  const std::map<RequestId, int>& held_per_request() const { return per_request_; }
  std::size_t held_retries() const { return retries_; }
  // REQUIRES: the image is held.
  bool is_retry(std::uint64_t key) const { return images_.at(key).history.attempts > 1; }
  std::vector<std::int64_t> tokens() const;

  // Decides what becomes of an image whose attempt has ended; the result is to be recorded. The
  // image stays held until release(). REQUIRES: it is held.
  FinishedImage judge(ImageOutcome outcome, const RetryLimits& limits, double unit_random);

  // REQUIRES: the image is held.
  void release(std::uint64_t key);

 private:
  struct Held {
    std::int64_t token;
    RequestId request_id;
    std::int32_t image_no;
    AttemptHistory history;
    std::string source_key;
  };

  std::unordered_map<std::uint64_t, Held> images_;
  std::unordered_map<std::int64_t, int> per_token_;
  std::map<RequestId, int> per_request_;
  std::size_t retries_ = 0;  // held images that have been attempted before
  std::uint64_t next_key_ = 1;
};

}  // namespace imgpress
