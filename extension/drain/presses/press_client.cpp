#include "drain/presses/press_client.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>

#include "core/text/plain_text.hpp"

namespace imgpress {
namespace {

constexpr std::chrono::seconds kStartPatience{10};

// After so many ends in a row without any work the cause is not an image, and another start would
// not help.
constexpr int kMaxIdleEnds = 6;

std::string message_for(PressEnd why, const std::string& detail) {
  switch (why) {
    case PressEnd::kOutOfCpu:
      return "compressing the image takes more CPU time than imgpress.codec_timeout allows";
    case PressEnd::kHung:
      return "the imgpress-press process did not answer in time";
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

void PressClient::start(const std::string& path, PressProcess::Role role, TimePoint now) {
  ready_ = false;
  path_ = path;
  process_ = PressProcess::start(path, role);
  ready_by_ = now + kStartPatience;
}

PacketSocket::Sent PressClient::send(const wire::Message& message, int attachment) {
  if (ready_) idle_ends_ = 0;  // it has work now
  return process_.socket().send(message, attachment);
}

void PressClient::stop() {
  ready_ = false;
  process_.stop();
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
    if (ready_) break;
    check_ready(packet.message);
  }
  idle_ends_ = 0;
  return true;
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
}

void PressClient::end(PressEnd why, const std::string& detail) {
  const bool was_ready = ready_;
  ready_ = false;
  const bool out_of_cpu = process_.stop();
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

void watch(int poll_fd, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

}  // namespace imgpress
