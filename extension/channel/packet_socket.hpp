// One end of the SOCK_SEQPACKET socketpair between a backend and a press process: every packet is
// one wire message and carries at most one file descriptor (SCM_RIGHTS).
#pragma once

#include <chrono>
#include <utility>

#include "channel/unique_fd.hpp"
#include "core/wire/wire.hpp"

namespace imgpress {

struct Packet {
  wire::Message message;
  UniqueFd attachment;  // empty when none came along
};

class PacketSocket {
 public:
  PacketSocket() = default;
  explicit PacketSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  // Two connected, close-on-exec ends; blocking. Throws std::system_error.
  static std::pair<PacketSocket, PacketSocket> make_pair();

  int fd() const { return fd_.get(); }
  void set_nonblocking();

  // kWouldBlock also where too many descriptors of this user are under way at the moment
  // (ETOOMANYREFS, see unix(7)), and then on a blocking socket as well: the kernel counts them over
  // all sockets of the user, and no event tells when they have become fewer.
  enum class Sent { kYes, kWouldBlock, kPeerGone };
  // Throws WireError when the message is too long, std::system_error on unforeseen errors.
  Sent send(const wire::Message& message, int attachment = -1);

  // Like send(), but tries for up to this long.
  Sent send_within(std::chrono::milliseconds patience, const wire::Message& message,
                   int attachment = -1);

  enum class Received { kPacket, kWouldBlock, kPeerGone };
  // Waits on a blocking socket. kPeerGone comes behind everything that the peer has sent. Throws
  // WireError on a malformed packet (surplus descriptors are closed), std::system_error on
  // unforeseen errors, such as that this process may have no further descriptor.
  Received receive(Packet& packet);

 private:
  UniqueFd fd_;
};

}  // namespace imgpress
