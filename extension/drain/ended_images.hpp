// The images of a drainer whose attempts have ended, until they are recorded.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "drain/pipeline/pipeline.hpp"
#include "drain/queue.hpp"

namespace imgpress {

class EndedImages {
 public:
  // An attempt has ended, and is to be recorded.
  void add(FinishedImage image, TimePoint now);
  // When to record the next ones; TimePoint::max() if there are none. `held`: how many images the
  // drainer holds, ended or not.
  TimePoint due(std::size_t held) const;
  // As many as one transaction may record, but at least one.
  std::vector<FinishedImage> take_batch();
  // A batch was recorded: those that are left wait for others again.
  void note_recorded(TimePoint now) { since_ = now; }
  // A batch was not recorded, and comes first again.
  void take_back(std::vector<FinishedImage> batch);

  // The row of this one is locked. All such images are recorded again together, a little later.
  void put_off(FinishedImage image, TimePoint now);
  // When resume() is due; TimePoint::max() if none was put off.
  TimePoint resumes_at() const;
  void resume(TimePoint now);

  std::size_t size() const { return ready_.size() + put_off_.size(); }
  // Those that take no place of others: a batch, so that the presses have work while it is
  // recorded, and those whose rows are locked.
  std::size_t without_place() const;
  const std::vector<FinishedImage>& locked() const { return put_off_; }

 private:
  std::deque<FinishedImage> ready_;
  TimePoint since_{};  // when the first of them ended
  std::vector<FinishedImage> put_off_;
  TimePoint put_off_until_{};
  Clock::duration put_off_pause_{};
};

}  // namespace imgpress
