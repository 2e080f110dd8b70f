// One end of the SOCK_SEQPACKET socketpair between a press and its owner. A packet is one wire
// message, with at most one file descriptor attached (SCM_RIGHTS).
#pragma once

#include <chrono>
#include <utility>

#include "channel/unique_fd.hpp"
#include "core/wire/encoding.hpp"

namespace imgpress {

struct Packet {
  wire::Message message;
  UniqueFd attachment;  // empty if none was sent
};

class PacketSocket {
 public:
  PacketSocket() = default;
  explicit PacketSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  // The two ends of a new connection: blocking, close-on-exec. Throws std::system_error.
  static std::pair<PacketSocket, PacketSocket> make_pair();

  int fd() const { return fd_.get(); }
  void set_nonblocking();

  // kWouldBlock also means that too many descriptors of this user are in transit (ETOOMANYREFS, see
  // unix(7)). The kernel counts them over all sockets of the user, so a blocking socket gets it,
  // too, and no event tells when their number has dropped.
  enum class Sent { kYes, kWouldBlock, kPeerGone };
  // Throws WireError if the message is too long, std::system_error on other errors.
  Sent send(const wire::Message& message, int attachment = -1);

  // Like send(), but tries again for up to `patience`.
  Sent send_within(std::chrono::milliseconds patience, const wire::Message& message,
                   int attachment = -1);

  enum class Received { kPacket, kWouldBlock, kPeerGone };
  // A blocking socket waits. kPeerGone comes after everything that the peer has sent. Throws
  // WireError on a malformed packet (surplus descriptors are closed), std::system_error on other
  // errors, also if this process has reached its limit of descriptors.
  Received receive(Packet& packet);

 private:
  UniqueFd fd_;
};

}  // namespace imgpress
