#include "drain/session_press.hpp"

#include <stdexcept>
#include <utility>

namespace imgpress {
namespace {

constexpr std::chrono::milliseconds kSendPatience{1000};

// Starts the press where it does not run and sends. One that has died since its last use shows at
// the sending: a fresh one gets the work. If that ends at its start, poll() says so.
template <typename Start, typename Send>
void send_with_restart(bool running, Start start, Send send) {
  auto sent = PacketSocket::Sent::kPeerGone;
  if (running) sent = send();
  if (sent == PacketSocket::Sent::kPeerGone) {
    start();
    sent = send();
  }
  if (sent == PacketSocket::Sent::kWouldBlock) {
    throw FaultError(Fault::kOutOfResources, "too many images are under way on this server");
  }
}

}  // namespace

void SessionPress::begin_download(const std::string& url, const PressSettings& settings) {
  abandon();
  const TimePoint now = Clock::now();
  if (fetcher_.running()) fetcher_.reconfigure(settings);
  send_with_restart(
      fetcher_.running(), [&] { fetcher_.start(settings, now); },
      [&] { return fetcher_.download(1, url, now, kSendPatience); });
  busy_ = Busy::kDownload;
}

void SessionPress::begin_compression(FetchedImage image, const PressSettings& settings) {
  abandon();
  forget_compressed();
  const TimePoint now = Clock::now();
  send_with_restart(
      codec_.running(), [&] { codec_.start(settings.press_path, now); },
      [&] { return codec_.send(image, settings, now, kSendPatience); });
  busy_ = Busy::kCompression;
}

int SessionPress::wait_fd() {
  return busy_ == Busy::kDownload ? fetcher_.fd() : codec_.fd();
}

TimePoint SessionPress::deadline() const {
  return busy_ == Busy::kDownload ? fetcher_.deadline() : codec_.deadline();
}

bool SessionPress::poll(TimePoint now) {
  try {
    const bool ended = busy_ == Busy::kDownload ? poll_download(now) : poll_compression(now);
    if (ended) busy_ = Busy::kNo;
    return ended;
  } catch (const PressEnded& ended) {
    busy_ = Busy::kNo;
    throw FaultError(ended.fault(), ended.what());
  } catch (const std::exception&) {
    busy_ = Busy::kNo;
    throw;
  }
}

bool SessionPress::poll_download(TimePoint now) {
  auto result = fetcher_.receive(now);
  if (!result) return false;
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
  if (busy_ == Busy::kDownload) fetcher_.stop();
  if (busy_ == Busy::kCompression) codec_.stop();
  busy_ = Busy::kNo;
}

}  // namespace imgpress
