// A press as its owner sees it, whatever its role: start, readiness, messages, end. codec_client
// and fetcher_client add what each role needs; the drainer and ordinary sessions use both.
#pragma once

#include <stdexcept>
#include <string>

#include "channel/packet_socket.hpp"
#include "drain/presses/press_process.hpp"
#include "drain/presses/press_settings.hpp"
#include "drain/presses/work_items.hpp"

namespace imgpress {

// Why a press has ended or was ended.
enum class PressEnd {
  kDied,           // it crashed or was killed
  kOutOfCpu,       // an image exceeded the limit of CPU time
  kHung,           // no answer for longer than any work may take
  kBrokeProtocol,  // it sent something that a press never sends
};

// A press has ended and has been reaped. what() is a message for the user.
class PressEnded : public std::runtime_error {
 public:
  PressEnded(PressEnd why, const std::string& detail);
  PressEnd why() const { return why_; }
  // The fault of the image that the press worked on.
  Fault fault() const;

 private:
  PressEnd why_;
};

// Presses do not work here at all: the executable has another version, or never becomes ready.
class PressUnusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class PressClient {
 public:
  // Throws std::system_error when the process cannot be started. It becomes ready some time later.
  void start(const std::string& path, PressProcess::Role role, TimePoint now);
  void stop();

  bool running() const { return process_.running(); }
  // True once it has reported that it is confined and accepts work.
  bool ready() const { return ready_; }
  int fd() { return process_.socket().fd(); }

  // Of its confinement, as the kernel confirmed them to the ready press: "no_new_privs, ..."
  const std::string& layers() const { return layers_; }

  // When a press that is not ready counts as hung; TimePoint::max() once it is ready.
  TimePoint ready_by() const { return ready_ ? TimePoint::max() : ready_by_; }

  PacketSocket::Sent send(const wire::Message& message, int attachment = -1);

  // Receives one answer; false when there is none. Throws PressEnded or PressUnusable.
  bool receive(Packet& packet);

  // Ends the press for this reason and throws PressEnded; with reason kOutOfCpu when the kernel had
  // already ended it for that. Throws PressUnusable instead when too many presses in a row have
  // ended without any work.
  [[noreturn]] void end(PressEnd why, const std::string& detail = "");

 private:
  void check_ready(const wire::Message& message);
  PacketSocket::Received receive_raw(Packet& packet);

  PressProcess process_;
  std::string path_;
  bool ready_ = false;
  std::string layers_;
  TimePoint ready_by_{};
  int idle_ends_ = 0;  // presses in a row that have ended without any work
};

// Adds a descriptor to an epoll set, to be reported when it is readable. Throws std::system_error.
void watch(int poll_fd, int fd);

}  // namespace imgpress
