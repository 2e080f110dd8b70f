// What a drainer holds: the images it has claimed, under which lease, for which request. Free of
// PostgreSQL.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include "drain/pipeline_types.hpp"
#include "core/verdict.hpp"

namespace imgpress {

using RequestId = std::array<std::uint8_t, 16>;

struct HeldImage {
  std::int64_t token = 0;
  RequestId request_id{};
  std::int32_t position = 0;
  AttemptHistory history;
};

// One image's row in the finishing transaction. Plain pointers, so that it can be read where no
// destructor may run; they point into the outcome it was made from.
struct FinishedImage {
  HeldImage held;
  Verdict verdict;
  const char* error_code;  // nullptr on success
  const char* error;
  std::int64_t source_bytes;
  std::int64_t output_bytes;
  int output_fd;  // -1 without an output
  const char* content_type;
  std::int32_t width;
  std::int32_t height;
  bool kept_source;
  const char* warning;
  bool put_off;  // set by the transaction: not finished yet
};

class Window {
 public:
  // Returns the key under which the pipeline knows the image.
  std::uint64_t hold(const HeldImage& image);

  std::size_t size() const { return images_.size(); }
  const std::map<RequestId, int>& held_per_request() const { return per_request_; }
  std::size_t held_retries() const { return retries_; }
  std::vector<std::int64_t> tokens() const;

  FinishedImage judge_outcome(const ImageOutcome& outcome, const RetryLimits& limits);

  // The tokens under which nothing is held once these images are released.
  std::vector<std::int64_t> tokens_ended_by(const std::vector<FinishedImage>& images) const;

  // REQUIRES: the image is held.
  void release(std::uint64_t key);

 private:
  std::unordered_map<std::uint64_t, HeldImage> images_;
  std::unordered_map<std::int64_t, int> per_token_;
  std::map<RequestId, int> per_request_;
  std::size_t retries_ = 0;  // held images that are not at their first attempt
  std::uint64_t next_key_ = 1;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace imgpress
