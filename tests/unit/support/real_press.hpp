// A real imgpress-press process, driven over its socket as a backend drives it.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "channel/packet_socket.hpp"

namespace imgpress::test {

// The executable under test: the environment variable IMGPRESS_PRESS, or where the build put it.
// Throws std::runtime_error when neither is known.
std::string press_path();

// Starts imgpress-press the way PostgreSQL does: `socket` as descriptor 3, nothing else open but
// stdio, empty environment. `socket` may be -1.
pid_t spawn_press(const std::vector<std::string>& arguments, int socket, int stdout_fd = -1,
                  int stderr_fd = -1);

// Waits for the end of a child, at most ten seconds; then kills it and throws.
int wait_for_exit(pid_t pid);

// Runs a press to its end; returns its exit status (-1 if a signal ended it) and what it wrote.
std::pair<int, std::string> run_press(const std::vector<std::string>& arguments, int socket = -1);

// Sealed memory with these contents.
UniqueFd sealed(const std::string& contents);

wire::CompressRequest compress_request(std::uint64_t id);

class RealPress {
 public:
  explicit RealPress(const std::string& role, std::vector<std::string> options = {});
  RealPress(const RealPress&) = delete;
  RealPress& operator=(const RealPress&) = delete;
  ~RealPress();

  pid_t pid() const { return pid_; }
  PacketSocket& socket() { return socket_; }
  const wire::Ready& ready() const { return ready_; }           // its first message
  const wire::Confined& confined() const { return confined_; }  // its second one

  // Waits at most ten seconds; throws std::runtime_error when nothing arrives or the press ends.
  Packet receive();

  // Closes the socket (unless that is done) and returns the wait status.
  int end();

 private:
  pid_t pid_ = -1;
  PacketSocket socket_;
  wire::Ready ready_;
  wire::Confined confined_;
};

// Sends an image to a codec and returns its reply.
wire::CompressReply compress(RealPress& press, const std::string& image, std::uint64_t id = 1);

}  // namespace imgpress::test
