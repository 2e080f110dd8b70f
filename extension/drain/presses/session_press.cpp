#include "drain/presses/session_press.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace imgpress {
namespace {

// How often and how long to try when too many descriptors of the server are in transit; no event
// tells when there are fewer.
constexpr std::chrono::milliseconds kSendPause{2};
constexpr std::chrono::seconds kSendPatience{1};

}  // namespace

void SessionPress::begin_download(Download download, const PressSettings& settings) {
  begin(std::move(download), settings);
}

void SessionPress::begin_compression(FetchedImage image, const PressSettings& settings) {
  begin(std::move(image), settings);
}

void SessionPress::begin(Work work, const PressSettings& settings) {
  abandon();
  forget_compressed();
  settings_ = settings;
  work_ = std::move(work);
  sent_ = false;
  give_up_at_ = Clock::now() + kSendPatience;
}

// What a press says while it has no work is no answer to anything: another one gets the work.
template <typename Client>
void SessionPress::end_unless_silent(Client& press, TimePoint now) {
  if (!press.running()) return;
  try {
    press.receive(now);
  } catch (const PressEnded&) {
    press.stop();
  }
}

// Starts the press if it does not run.
PacketSocket::Sent SessionPress::send(TimePoint now) {
  if (const auto* download = std::get_if<Download>(&work_)) {
    end_unless_silent(fetcher_, now);
    if (fetcher_.running()) {
      fetcher_.reconfigure(settings_);
    } else {
      fetcher_.start(settings_, now);
    }
    return fetcher_.download(1, *download, now);
  }
  end_unless_silent(codec_, now);
  if (!codec_.running() || codec_.is_outdated(settings_)) codec_.start(settings_, now);
  auto& image = std::get<FetchedImage>(work_);
  image.is_large = true;  // perhaps; there are no others
  return codec_.send(image, settings_, now);
}

// That a press has died since its last use shows only when something is sent to it. A new one gets
// the work; should that one end, too, then poll() finds out.
void SessionPress::try_to_send(TimePoint now) {
  auto sent = send(now);
  if (sent == PacketSocket::Sent::kPeerGone) {
    is_download() ? fetcher_.stop() : codec_.stop();
    sent = send(now);
  }
  sent_ = sent != PacketSocket::Sent::kWouldBlock;
  try_again_at_ = now + kSendPause;
  if (!sent_ && now >= give_up_at_) {
    throw FaultError(Fault::kOutOfResources,
                     "too many images are being processed on this server; try again later");
  }
}

int SessionPress::wait_fd() {
  return is_download() ? fetcher_.fd() : codec_.fd();
}

TimePoint SessionPress::deadline() const {
  if (!sent_) return try_again_at_;
  return is_download() ? fetcher_.deadline() : codec_.deadline();
}

bool SessionPress::poll(TimePoint now) {
  try {
    if (!sent_) try_to_send(now);
    const bool ended = is_download() ? poll_download(now) : poll_compression(now);
    if (ended) work_ = {};
    return ended;
  } catch (const PressEnded& ended) {
    work_ = {};
    throw FaultError(ended.fault(), ended.what());
  } catch (const FaultError&) {
    work_ = {};
    throw;
  }
}

bool SessionPress::poll_download(TimePoint now) {
  auto result = fetcher_.receive(now);
  if (!result) return false;
  // The user decides when to ask a host again that has asked for a pause: a new fetcher does not
  // know of it.
  if (result->retry_after_seconds > 0) fetcher_.stop();
  if (result->fault != Fault::kNone) throw FaultError(result->fault, result->reason);
  download_ = {};
  download_.source = std::move(result->body);
  download_.source_bytes = result->body_bytes;
  return true;
}

bool SessionPress::poll_compression(TimePoint now) {
  auto outcome = codec_.receive(now);
  if (!outcome) return false;
  if (outcome->fault != Fault::kNone) throw FaultError(outcome->fault, outcome->reason);
  compressed_ = std::move(*outcome);
  return true;
}

void SessionPress::stop() {
  fetcher_.stop();
  codec_.stop();
}

void SessionPress::abandon() {
  if (std::holds_alternative<std::monostate>(work_)) return;
  is_download() ? fetcher_.stop() : codec_.stop();
  work_ = {};
}

}  // namespace imgpress
