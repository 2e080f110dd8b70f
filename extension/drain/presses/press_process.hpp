// One running imgpress-press: its process, and our end of its socket.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "channel/packet_socket.hpp"

namespace imgpress {

class PressProcess {
 public:
  PressProcess() = default;  // not running
  PressProcess(PressProcess&& other) noexcept;
  PressProcess& operator=(PressProcess&& other) noexcept;
  ~PressProcess() { stop(); }

  // Starts the executable with these arguments, an empty environment, default signal handlers and
  // no descriptors but its socket and stderr. Throws std::system_error, with the path in its
  // message.
  static PressProcess start(const std::string& path, std::vector<std::string> arguments);

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  PacketSocket& socket() { return socket_; }  // non-blocking

  // True while a signal (SIGSTOP) keeps it from running.
  bool is_stopped() const;

  // Kills it if it still runs, and reaps it. Returns true when it had exceeded its CPU limit.
  bool stop();

 private:
  pid_t pid_ = -1;
  PacketSocket socket_;
};

}  // namespace imgpress
