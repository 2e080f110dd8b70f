#include "channel/packet_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>

namespace imgpress {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Takes the first descriptor out of the control data and closes any further ones.
UniqueFd take_descriptor(msghdr& header) {
  UniqueFd first;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      UniqueFd owned(fd);
      if (!first) first = std::move(owned);
    }
  }
  return first;
}

}  // namespace

std::pair<PacketSocket, PacketSocket> PacketSocket::make_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) fail("socketpair");
  return {PacketSocket(UniqueFd(fds[0])), PacketSocket(UniqueFd(fds[1]))};
}

void PacketSocket::set_nonblocking() {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) != 0) fail("fcntl");
}

PacketSocket::Sent PacketSocket::send(const wire::Message& message, int attachment) {
  std::string bytes = wire::encode(message);
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (attachment >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &attachment, sizeof(int));
  }
  while (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS) {
      return Sent::kWouldBlock;
    }
    if (errno == EPIPE || errno == ECONNRESET) return Sent::kPeerGone;
    fail("sendmsg");
  }
  return Sent::kYes;
}

PacketSocket::Sent PacketSocket::send_within(std::chrono::milliseconds patience,
                                             const wire::Message& message, int attachment) {
  const auto limit = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const Sent sent = send(message, attachment);
    if (sent != Sent::kWouldBlock || std::chrono::steady_clock::now() >= limit) return sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

PacketSocket::Received PacketSocket::receive(Packet& packet) {
  thread_local std::string buffer(wire::kMaxMessageBytes, '\0');
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  while ((size = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC)) < 0) {
    // ECONNRESET: the peer ended with unread packets. It is reported once, and before the packets
    // that the peer had sent, which are still to be read.
    if (errno == EINTR || errno == ECONNRESET) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Received::kWouldBlock;
    fail("recvmsg");
  }
  UniqueFd attachment = take_descriptor(header);
  if (size == 0) return Received::kPeerGone;  // messages are never empty
  if ((header.msg_flags & MSG_TRUNC) != 0) throw wire::WireError("message too long");
  if ((header.msg_flags & MSG_CTRUNC) != 0 && !attachment) {
    // This process is at its limit of descriptors; the peer did nothing wrong.
    throw std::system_error(EMFILE, std::generic_category(), "receiving a descriptor");
  }
  packet.message = wire::decode({buffer.data(), static_cast<std::size_t>(size)});
  packet.attachment = std::move(attachment);
  return Received::kPacket;
}

}  // namespace imgpress
