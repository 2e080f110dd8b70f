// A press as its owner sees it, whatever its role: start, readiness, messages, end. codec_client
// and fetcher_client add what each role needs; the drainer and ordinary sessions use both.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "channel/packet_socket.hpp"
#include "core/rules/confinement.hpp"
#include "drain/presses/press_observer.hpp"
#include "drain/presses/press_process.hpp"
#include "drain/presses/press_settings.hpp"
#include "drain/presses/work_items.hpp"

namespace imgpress {

// Why a press has ended or was ended.
enum class PressEnd {
  kDied,           // it crashed or was killed
  kOutOfCpu,       // an image exceeded the limit of CPU time
  kHung,           // no answer for longer than any work may take
  kStopped,        // by a signal that was not followed by SIGCONT
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

// Presses do not work here at all: the executable has another version, never becomes ready, or
// cannot be confined.
class PressUnusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class PressRole { kFetcher, kCodec };

// The arguments of a press: its role, and what it needs to know before it is confined.
std::vector<std::string> press_arguments(PressRole role, const PressSettings& settings);

class PressClient {
 public:
  PressClient() = default;
  PressClient(const PressClient&) = delete;
  PressClient& operator=(const PressClient&) = delete;
  ~PressClient() { stop(); }

  // Throws std::system_error when the process cannot be started. It becomes ready some time later.
  void start(PressRole role, const PressSettings& settings, TimePoint now);
  void stop();

  bool running() const { return process_.running(); }
  // True once it has reported that it is confined and accepts work.
  bool ready() const { return ready_; }
  int fd() { return process_.socket().fd(); }

  // The layers of its confinement, as the ready press has told them: "no_new_privs, ..."
  const std::string& layers() const { return layers_; }
  // The stamps of the files that it reads; empty before it has told them.
  const std::vector<std::string>& files() const { return files_; }

  // When a press that is not ready counts as hung; TimePoint::max() once it is ready.
  TimePoint ready_by() const { return ready_ ? TimePoint::max() : ready_by_; }

  PacketSocket::Sent send(const wire::Message& message, int attachment = -1);

  // Receives one answer; false when there is none. Throws PressEnded or PressUnusable.
  bool receive(Packet& packet);

  // While a press is not ready or has work, looks from time to time whether it is stopped. Ends one
  // that was stopped in several looks in a row; throws like receive().
  void look(TimePoint now);
  TimePoint next_look() const { return next_look_; }

  // Ends the press for this reason and throws PressEnded; with reason kOutOfCpu when the kernel had
  // already ended it for that. Throws PressUnusable instead when too many presses in a row have
  // ended without any work.
  [[noreturn]] void end(PressEnd why, const std::string& detail = "");

 private:
  void check_ready(const wire::Message& message);
  bool take_notice(const wire::Message& message);
  PacketSocket::Received receive_raw(Packet& packet);
  bool end_process();

  PressProcess process_;
  PressObserver* observer_ = nullptr;
  std::string path_;
  bool ready_ = false;
  bool awaits_notice_ = false;  // how it is confined
  std::string layers_;
  std::vector<std::string> files_;
  TimePoint ready_by_{};
  TimePoint next_look_{};
  int looks_while_stopped_ = 0;  // in a row
  int idle_ends_ = 0;            // presses in a row that have ended without any work
};

// An epoll set. Throws std::system_error.
UniqueFd make_poll();

// Adds a descriptor to an epoll set, to be reported when it is readable. Throws std::system_error.
void watch(int poll_fd, int fd);

}  // namespace imgpress
