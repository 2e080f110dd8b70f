#include "database/watch.hpp"

#include "log.hpp"

namespace imgpress::gateway {
namespace {

constexpr auto kLookTime = std::chrono::seconds(5);
constexpr auto kPause = std::chrono::seconds(1);  // between two attempts while it is unusable

void log(const Finding& finding) {
  log_line(finding.text);
  if (!finding.cure.empty()) log_line(finding.cure);
}

}  // namespace

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watch::look() {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  changed_.notify_one();
}

void Watch::run() {
  Finding last;
  for (;;) {
    const Finding finding = examine_database(pool_, within(kLookTime));
    if (!(finding == last)) log(finding);
    last = finding;
    std::unique_lock lock(mutex_);
    if (finding.state == Finding::State::kReady) {
      changed_.wait(lock, [this] { return wanted_ || stopping_; });
    } else {
      changed_.wait_for(lock, kPause, [this] { return stopping_; });
    }
    if (stopping_) return;
    wanted_ = false;
  }
}

}  // namespace imgpress::gateway
