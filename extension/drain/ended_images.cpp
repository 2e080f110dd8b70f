#include "drain/ended_images.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace imgpress {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// At most this much is recorded in one transaction.
constexpr std::size_t kBatchImages = 64;
// What is worth a transaction of its own when few images are left.
constexpr std::size_t kSmallBatch = 16;
constexpr std::uint64_t kBatchBytes = 8 << 20;
// How long an ended image waits for others to share a commit.
constexpr milliseconds kBatchPause{100};
// Pauses before images whose rows are locked are recorded again: doubled as long as there are any.
constexpr milliseconds kFirstPutOff{250};
constexpr seconds kLongestPutOff{2};

}  // namespace

void EndedImages::add(FinishedImage image, TimePoint now) {
  if (ready_.empty()) since_ = now;
  ready_.push_back(std::move(image));
}

// A single image is recorded at once. Under load, several share one commit. At the end of a queue
// the batches get smaller, because nothing else is done while the last one is recorded.
TimePoint EndedImages::due(std::size_t held) const {
  if (ready_.empty()) return TimePoint::max();
  const std::size_t under_way = held - size();
  if (under_way == 0 || ready_.size() >= std::clamp(under_way, kSmallBatch, kBatchImages)) {
    return {};
  }
  std::uint64_t bytes = 0;
  for (const FinishedImage& image : ready_) bytes += image.output_bytes;
  return bytes >= kBatchBytes ? TimePoint{} : since_ + kBatchPause;
}

std::size_t EndedImages::without_place() const {
  return std::min(ready_.size(), kBatchImages) + put_off_.size();
}

std::vector<FinishedImage> EndedImages::take_batch() {
  std::vector<FinishedImage> batch;
  std::uint64_t bytes = 0;
  while (!ready_.empty() && batch.size() < kBatchImages) {
    bytes += ready_.front().output_bytes;
    if (bytes > kBatchBytes && !batch.empty()) break;
    batch.push_back(std::move(ready_.front()));
    ready_.pop_front();
  }
  return batch;
}

void EndedImages::take_back(std::vector<FinishedImage> batch) {
  std::move(batch.rbegin(), batch.rend(), std::front_inserter(ready_));
}

void EndedImages::put_off(FinishedImage image, TimePoint now) {
  if (put_off_.empty()) {
    const bool again = now < put_off_until_ + put_off_pause_;
    put_off_pause_ =
        again ? std::min<Clock::duration>(2 * put_off_pause_, kLongestPutOff) : kFirstPutOff;
    put_off_until_ = now + put_off_pause_;
  }
  image.output.set_aside();
  put_off_.push_back(std::move(image));
}

TimePoint EndedImages::resumes_at() const {
  return put_off_.empty() ? TimePoint::max() : put_off_until_;
}

void EndedImages::resume(TimePoint now) {
  if (resumes_at() > now) return;
  for (FinishedImage& image : put_off_) add(std::move(image), now);
  put_off_.clear();
}

}  // namespace imgpress
