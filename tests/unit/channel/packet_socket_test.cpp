#include "channel/packet_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "channel/sealed_memory.hpp"

namespace imgpress {
namespace {

using Received = PacketSocket::Received;
using Sent = PacketSocket::Sent;

wire::FetchReply reply(std::uint64_t id, const std::string& text = "") {
  wire::FetchReply message;
  message.id = id;
  message.message = text;
  return message;
}

std::uint64_t id_of(const Packet& packet) {
  return std::get<wire::FetchReply>(packet.message).id;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

// Runs in a process of its own, as an unprivileged user: the limit does not apply to root.
[[noreturn]] void exceed_descriptors_in_transit() {
  constexpr rlim_t kLimit = 24;
  const rlimit limit{kLimit, kLimit};
  auto [left, right] = PacketSocket::make_pair();
  const UniqueFd memory = make_sealed("test", {});
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) std::exit(10);
  if (::geteuid() == 0 && ::setuid(65534) != 0) std::exit(11);
  rlim_t sent = 0;
  while (left.send(reply(1), memory.get()) == Sent::kYes) {
    if (++sent > 4 * kLimit) std::exit(12);  // the limit does not apply
  }
  if (left.send_within(std::chrono::milliseconds(5), reply(1), memory.get()) != Sent::kWouldBlock) {
    std::exit(13);
  }
  for (rlim_t i = 0; i < sent; ++i) {
    Packet packet;
    if (right.receive(packet) != Received::kPacket) std::exit(14);
  }
  std::exit(left.send(reply(1), memory.get()) == Sent::kYes ? 0 : 15);
}

TEST(PacketSocketTest, TooManyDescriptorsInTransitWouldBlock) {
  EXPECT_EXIT(exceed_descriptors_in_transit(), testing::ExitedWithCode(0), "");
}

TEST(PacketSocketTest, KeepsMessagesApartAndInOrder) {
  auto [left, right] = PacketSocket::make_pair();
  for (std::uint64_t id = 1; id <= 20; ++id) ASSERT_EQ(left.send(reply(id)), Sent::kYes);
  Packet packet;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    ASSERT_EQ(right.receive(packet), Received::kPacket);
    EXPECT_EQ(id_of(packet), id);
    EXPECT_FALSE(packet.attachment);
  }
}

TEST(PacketSocketTest, CarriesSealedMemory) {
  auto [left, right] = PacketSocket::make_pair();
  const std::string text = "image bytes";
  {
    const UniqueFd memory =
        make_sealed("test", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    ASSERT_EQ(left.send(reply(1), memory.get()), Sent::kYes);
  }
  Packet packet;
  ASSERT_EQ(right.receive(packet), Received::kPacket);
  ASSERT_TRUE(packet.attachment);
  EXPECT_NE(::fcntl(packet.attachment.get(), F_GETFD) & FD_CLOEXEC, 0);
  const SealedView view(packet.attachment.get());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.bytes().data), view.bytes().size), text);
}

TEST(PacketSocketTest, AnAttachmentBelongsToOnePacket) {
  auto [left, right] = PacketSocket::make_pair();
  const UniqueFd memory = make_sealed("test", {});
  left.send(reply(1), memory.get());
  left.send(reply(2));
  Packet packet;
  ASSERT_EQ(right.receive(packet), Received::kPacket);
  EXPECT_TRUE(packet.attachment);
  ASSERT_EQ(right.receive(packet), Received::kPacket);
  EXPECT_FALSE(packet.attachment);
}

TEST(PacketSocketTest, TheLongestMessagePasses) {
  auto [left, right] = PacketSocket::make_pair();
  const std::size_t room = wire::kMaxMessageBytes - wire::encode(reply(1)).size();
  ASSERT_EQ(left.send(reply(1, std::string(room, 'x'))), Sent::kYes);
  Packet packet;
  ASSERT_EQ(right.receive(packet), Received::kPacket);
  EXPECT_EQ(std::get<wire::FetchReply>(packet.message).message.size(), room);
  EXPECT_THROW(left.send(reply(1, std::string(room + 1, 'x'))), wire::WireError);
}

TEST(PacketSocketTest, NonblockingEndsReportWouldBlock) {
  auto [left, right] = PacketSocket::make_pair();
  left.set_nonblocking();
  right.set_nonblocking();
  Packet packet;
  EXPECT_EQ(right.receive(packet), Received::kWouldBlock);
  const std::string text(60'000, 'x');
  std::uint64_t sent = 0;
  while (left.send(reply(sent + 1, text)) == Sent::kYes) ASSERT_LT(++sent, 1000u);
  EXPECT_GT(sent, 0u);
  for (std::uint64_t id = 1; id <= sent; ++id) {
    ASSERT_EQ(right.receive(packet), Received::kPacket);
    EXPECT_EQ(id_of(packet), id);
  }
  EXPECT_EQ(right.receive(packet), Received::kWouldBlock);
  EXPECT_EQ(left.send(reply(0)), Sent::kYes);
}

TEST(PacketSocketTest, ReportsThatThePeerIsGone) {
  auto [left, right] = PacketSocket::make_pair();
  left.send(reply(1));
  left = PacketSocket();
  Packet packet;
  EXPECT_EQ(right.receive(packet), Received::kPacket);  // what was sent before still arrives
  EXPECT_EQ(right.receive(packet), Received::kPeerGone);
  EXPECT_EQ(right.send(reply(2)), Sent::kPeerGone);
}

TEST(PacketSocketTest, MalformedPacketsThrowAndLeakNothing) {
  auto [left, right] = PacketSocket::make_pair();
  const std::size_t before = open_descriptors();
  const UniqueFd memory = make_sealed("test", {});

  std::string noise = "\xff noise";
  iovec part{noise.data(), noise.size()};
  constexpr std::size_t kCount = 3;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kCount * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(kCount * sizeof(int));
  const std::array<int, kCount> fds{memory.get(), memory.get(), memory.get()};
  std::memcpy(CMSG_DATA(rights), fds.data(), sizeof fds);
  ASSERT_GT(::sendmsg(left.fd(), &header, 0), 0);

  Packet packet;
  EXPECT_THROW(right.receive(packet), wire::WireError);
  EXPECT_EQ(open_descriptors(), before + 1);  // `memory` itself
}

TEST(PacketSocketTest, PacketsThatAreTooLongThrow) {
  auto [left, right] = PacketSocket::make_pair();
  std::string bytes = wire::encode(reply(1));
  bytes.resize(wire::kMaxMessageBytes + 1);
  ASSERT_GT(::send(left.fd(), bytes.data(), bytes.size(), 0), 0);
  Packet packet;
  EXPECT_THROW(right.receive(packet), wire::WireError);
}

TEST(PacketSocketTest, PacketsOfAPeerThatEndedAreStillRead) {
  auto [ours, theirs] = PacketSocket::make_pair();
  ours.set_nonblocking();
  wire::CompressReply reply;
  reply.id = 1;
  theirs.send(reply);
  ours.send(wire::CompressRequest{});  // never read, so that the end is a connection reset
  theirs = PacketSocket();
  Packet packet;
  EXPECT_EQ(ours.receive(packet), PacketSocket::Received::kPacket);
  EXPECT_EQ(ours.receive(packet), PacketSocket::Received::kPeerGone);
}

TEST(PacketSocketTest, RunningOutOfDescriptorsIsNoWireError) {
  auto [ours, theirs] = PacketSocket::make_pair();
  const UniqueFd memory = make_sealed("test", {reinterpret_cast<const std::uint8_t*>("x"), 1});
  theirs.send(wire::CompressReply{}, memory.get());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  Packet packet;
  EXPECT_THROW(ours.receive(packet), std::system_error);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace imgpress
