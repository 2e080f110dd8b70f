#include "drain/presses/press_client.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

constexpr std::chrono::seconds kStartPatience{10};

// After so many ends in a row without any work the cause is not an image, and another start would
// not help.
constexpr int kMaxIdleEnds = 6;

// A press that is stopped in this many looks in a row, so for two seconds, is as good as dead.
// Looks are counted, not time: an owner that was stopped itself must not blame its presses.
constexpr std::chrono::milliseconds kLookPause{500};
constexpr int kLooksWhileStopped = 5;

std::string message_for(PressEnd why, const std::string& detail) {
  switch (why) {
    case PressEnd::kOutOfCpu:
      return "compressing the image takes more CPU time than imgpress.codec_timeout allows";
    case PressEnd::kHung:
      return "the imgpress-press process did not answer in time";
    case PressEnd::kStopped:
      return "the imgpress-press process was stopped by a signal and not continued";
    case PressEnd::kBrokeProtocol:
      return "the imgpress-press process sent a wrong message: " + detail;
    case PressEnd::kDied:
      break;
  }
  return detail.empty() ? "the imgpress-press process ended unexpectedly during this work" : detail;
}

}  // namespace

PressEnded::PressEnded(PressEnd why, const std::string& detail)
    : std::runtime_error(message_for(why, detail)), why_(why) {}

Fault PressEnded::fault() const {
  return why_ == PressEnd::kOutOfCpu ? Fault::kOutOfResources : Fault::kPressDied;
}

std::vector<std::string> press_arguments(PressRole role, const PressSettings& settings) {
  std::vector<std::string> arguments{role == PressRole::kFetcher ? "fetcher" : "codec"};
  if (settings.best_effort) arguments.emplace_back("--best-effort");
  // Networks are allowed with all their ports.
  const bool any_port = role == PressRole::kFetcher && !settings.allowed_networks.empty();
  if (any_port) arguments.emplace_back("--any-port");
  if (role == PressRole::kCodec) {
    arguments.push_back("--memory-mb=" + std::to_string(settings.codec_memory_mb));
  }
  return arguments;
}

void PressClient::start(PressRole role, const PressSettings& settings, TimePoint now) {
  stop();
  files_.clear();
  path_ = settings.press_path;
  process_ = PressProcess::start(path_, press_arguments(role, settings));
  observer_ = settings.observer;
  if (observer_ != nullptr) observer_->started(process_.pid(), role == PressRole::kFetcher);
  ready_by_ = now + kStartPatience;
  next_look_ = now + kLookPause;
  looks_while_stopped_ = 0;
}

PacketSocket::Sent PressClient::send(const wire::Message& message, int attachment) {
  if (ready_) idle_ends_ = 0;  // it has work now
  return process_.socket().send(message, attachment);
}

void PressClient::stop() {
  end_process();
}

// Returns true when it had exceeded its CPU limit.
bool PressClient::end_process() {
  ready_ = false;
  const pid_t press = process_.pid();
  const bool out_of_cpu = process_.stop();
  if (observer_ != nullptr && press > 0) observer_->ended(press);
  return out_of_cpu;
}

PacketSocket::Received PressClient::receive_raw(Packet& packet) {
  try {
    return process_.socket().receive(packet);
  } catch (const wire::WireError& error) {
    end(PressEnd::kBrokeProtocol, error.what());
  }
}

bool PressClient::receive(Packet& packet) {
  for (;;) {
    const auto received = receive_raw(packet);
    if (received == PacketSocket::Received::kWouldBlock) return false;
    if (received == PacketSocket::Received::kPeerGone) end(PressEnd::kDied);
    if (!ready_) {
      check_ready(packet.message);
    } else if (!take_notice(packet.message)) {
      idle_ends_ = 0;
      return true;
    }
  }
}

// Takes what a press tells about itself, once and before anything else: later it may be lying.
// Returns false for any other message.
bool PressClient::take_notice(const wire::Message& message) {
  if (!std::exchange(awaits_notice_, false)) return false;
  if (const auto* confined = std::get_if<wire::Confined>(&message)) {
    files_ = confined->files;
    if (observer_ != nullptr) observer_->confined(process_.pid(), confined->confinement);
    return true;
  }
  if (const auto* unconfined = std::get_if<wire::Unconfined>(&message)) {
    stop();
    throw PressUnusable(plain_text(unconfined->reason));
  }
  return false;
}

void PressClient::look(TimePoint now) {
  if (now < next_look_) return;
  next_look_ = now + kLookPause;
  looks_while_stopped_ = process_.is_stopped() ? looks_while_stopped_ + 1 : 0;
  if (looks_while_stopped_ >= kLooksWhileStopped) end(PressEnd::kStopped);
}

void PressClient::check_ready(const wire::Message& message) {
  const auto* ready = std::get_if<wire::Ready>(&message);
  if (ready == nullptr) end(PressEnd::kBrokeProtocol, "something else before it was ready");
  if (ready->version != IMGPRESS_VERSION) {
    stop();
    throw PressUnusable("\"" + path_ + "\" has version " + plain_text(ready->version) +
                        ", but this library has version " IMGPRESS_VERSION
                        ": install both together, then restart PostgreSQL");
  }
  if (ready->pid != static_cast<std::uint32_t>(process_.pid())) {
    end(PressEnd::kBrokeProtocol, "a process id that is not its own");
  }
  layers_.clear();
  for (const std::string& layer : ready->layers) {
    if (!layers_.empty()) layers_ += ", ";
    layers_ += plain_text(layer);
  }
  ready_ = true;
  awaits_notice_ = true;
}

void PressClient::end(PressEnd why, const std::string& detail) {
  const bool was_ready = ready_;
  const bool out_of_cpu = end_process();
  if (!was_ready && why == PressEnd::kHung) {
    throw PressUnusable("\"" + path_ +
                        "\" does not become ready; is it imgpress-press of version " +
                        IMGPRESS_VERSION + "?");
  }
  if (++idle_ends_ >= kMaxIdleEnds) {
    throw PressUnusable(
        "\"" + path_ +
        "\" keeps ending before it has done any work: it is not the imgpress-press of "
        "this version, or a library is missing: the server's log may say which");
  }
  if (!was_ready && why == PressEnd::kDied) {
    throw PressEnded(why, '"' + path_ +
                              "\" ended before it was ready: it is not the imgpress-press of this "
                              "version (setting imgpress.press_path), or a library that it needs "
                              "is missing: the server's log may say which");
  }
  throw PressEnded(out_of_cpu ? PressEnd::kOutOfCpu : why, detail);
}

UniqueFd make_poll() {
  UniqueFd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

void watch(int poll_fd, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

}  // namespace imgpress
