// One imgpress-press as its owner sees it, whatever its role: started, ready, answering, ended.
// What is particular to a role is in codec_client and fetcher_client; the drainer and an ordinary
// session use the same ones.
#pragma once

#include <stdexcept>
#include <string>

#include "channel/packet_socket.hpp"
#include "drain/presses/press_process.hpp"
#include "drain/presses/pipeline_types.hpp"

namespace imgpress {

// Why a press is of no use any more.
enum class PressEnd {
  kDied,           // by itself, or somebody killed it
  kOutOfCpu,       // an image needed more CPU time than it may cost
  kHung,           // no answer for longer than any answer can take
  kBrokeProtocol,  // said what no press says
};

// A press has ended and has been reaped. what() is a sentence for the user.
class PressEnded : public std::runtime_error {
 public:
  PressEnded(PressEnd why, const std::string& detail);
  PressEnd why() const { return why_; }
  // What becomes of an image that the press worked on.
  Fault fault() const;

 private:
  PressEnd why_;
};

// No press can work here, whatever the image: it is of another version, or never gets ready.
class PressUnusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class PressClient {
 public:
  // Throws std::system_error when the process cannot be started. It is not ready at once.
  void start(const std::string& path, PressProcess::Role role, TimePoint now);
  void stop();

  bool running() const { return process_.running(); }
  // It has told that it has given up what it need not have, and takes work.
  bool ready() const { return ready_; }
  int fd() { return process_.socket().fd(); }

  // A press that is not ready by then hangs; TimePoint::max() when it is.
  TimePoint ready_by() const { return ready_ ? TimePoint::max() : ready_by_; }

  PacketSocket::Sent send(const wire::Message& message, int attachment = -1);

  // Takes one answer; false when there is none. Throws PressEnded or PressUnusable.
  bool receive(Packet& packet);

  // Ends the press for this reason (or for the CPU limit, if that is what has ended it) and throws
  // PressEnded; or PressUnusable, if presses have ended too often in a row without any work.
  [[noreturn]] void end(PressEnd why, const std::string& detail = "");

 private:
  void check_ready(const wire::Message& message);
  PacketSocket::Received receive_raw(Packet& packet);

  PressProcess process_;
  std::string path_;
  bool ready_ = false;
  TimePoint ready_by_{};
  int starts_in_vain_ = 0;  // since one had work
};

// Has an epoll set tell when there is something to read. Throws std::system_error.
void watch(int poll_fd, int fd);

}  // namespace imgpress
