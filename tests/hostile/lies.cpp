#include "lies.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "channel/sealed_memory.hpp"

namespace imgpress::hostile {
namespace {

constexpr int kSocketFd = 3;
constexpr int kStdinFd = 0;

wire::Message honest(std::uint64_t id, bool is_fetcher) {
  if (is_fetcher) {
    wire::FetchReply reply;
    reply.id = id;
    return reply;
  }
  wire::CompressReply reply;
  reply.id = id;
  return reply;
}

UniqueFd memory(std::size_t size) {
  const std::string bytes(size, 'x');
  return make_sealed("lie", {reinterpret_cast<const std::uint8_t*>(bytes.data()), size});
}

UniqueFd unsealed_memory() {
  UniqueFd made(::memfd_create("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (::write(made.get(), "x", 1) != 1) made.reset();
  return made;
}

void send_bytes(const std::string& bytes, const std::vector<int>& descriptors = {}) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(64 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size() * sizeof(int));
  }
  if (::sendmsg(kSocketFd, &header, MSG_NOSIGNAL) < 0) ::_exit(3);
}

// With a wrong descriptor, or none.
bool answer_with_descriptor(PacketSocket& socket, const std::string& lie,
                            const wire::Message& reply) {
  if (lie == "no-descriptor") {
    socket.send(reply);
  } else if (lie == "unsealed") {
    socket.send(reply, unsealed_memory().get());
  } else if (lie == "device") {
    socket.send(reply, kStdinFd);
  } else if (lie == "socket") {
    socket.send(reply, kSocketFd);
  } else if (lie == "empty-memory") {
    socket.send(reply, memory(0).get());
  } else if (lie == "long-memory") {
    socket.send(reply, memory(std::size_t{65} << 20).get());
  } else if (lie == "many-descriptors") {
    const UniqueFd one = memory(1);
    send_bytes(wire::encode(reply), std::vector<int>(64, one.get()));
  } else {
    return false;
  }
  return true;
}

bool answer_with_bytes(PacketSocket& socket, const std::string& lie, const wire::Message& reply) {
  if (lie == "huge") {
    send_bytes(std::string(wire::kMaxMessageBytes + 1000, 'x'));
  } else if (lie == "garbage") {
    send_bytes("\xff\xff garbage");
  } else if (lie == "cut-short") {
    const std::string bytes = wire::encode(reply);
    send_bytes(bytes.substr(0, bytes.size() / 2));
  } else if (lie == "empty-message") {
    send_bytes("");
  } else if (lie == "ready-again") {
    socket.send(wire::Ready{IMGPRESS_VERSION, static_cast<std::uint32_t>(::getpid()), {}});
  } else if (lie == "flood") {
    while (true) socket.send(wire::MemoryUse{1, true});
  } else if (lie == "unconfined") {
    socket.send(wire::Unconfined{"I changed my mind"});
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool answer_with_lie(PacketSocket& socket, const std::string& lie, std::uint64_t id,
                     bool is_fetcher) {
  const wire::Message reply = honest(id, is_fetcher);
  if (answer_with_descriptor(socket, lie, reply) || answer_with_bytes(socket, lie, reply)) {
    return true;
  }
  if (lie == "foreign-id") {
    socket.send(honest(id + 1000, is_fetcher), memory(1).get());
  } else if (lie == "twice") {
    socket.send(reply, memory(1).get());
    socket.send(reply, memory(1).get());
  } else if (lie == "exit") {
    ::_exit(0);
  } else if (lie == "abort") {
    std::abort();
  } else if (lie == "stop") {
    ::raise(SIGSTOP);
  } else {
    return false;
  }
  return true;
}

}  // namespace imgpress::hostile
