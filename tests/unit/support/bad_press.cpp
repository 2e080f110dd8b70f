// A press that breaks the protocol; the name of its file says how. Started like the real one.
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "channel/packet_socket.hpp"
#include "channel/sealed_memory.hpp"

namespace {

using namespace imgpress;

std::string name_of_executable() {
  const std::string path(reinterpret_cast<const char*>(::getauxval(AT_EXECFN)));
  return path.substr(path.rfind('/') + 1);
}

UniqueFd memory(std::size_t size) {
  const std::string bytes(size, 'x');
  return make_sealed("bad", {reinterpret_cast<const std::uint8_t*>(bytes.data()), size});
}

UniqueFd unsealed_memory() {
  UniqueFd open_memory(::memfd_create("bad", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (::write(open_memory.get(), "x", 1) != 1) open_memory.reset();
  return open_memory;
}

void answer_image(PacketSocket& socket, const wire::CompressRequest& request,
                  const std::string& how) {
  wire::CompressReply reply;
  reply.id = how == "foreign-id" ? request.id + 1 : request.id;
  reply.work_us = 1000;
  UniqueFd output = memory(how == "empty" ? 0 : how == "large" ? 1'000'000 : 1);
  if (how == "unsealed") output = unsealed_memory();
  if (how == "no-output") output.reset();
  socket.send(reply, output.get());
}

void answer_transfer(PacketSocket& socket, const wire::FetchRequest& request,
                     const std::string& how) {
  wire::FetchReply reply;
  reply.id = how == "foreign-id" ? request.id + 1 : request.id;
  reply.digest.assign(32, 'd');
  if (how == "bad-digest") reply.digest = "short";
  if (how == "bad-etag") reply.etag = "\"a\r\nb\"";
  if (how == "bad-date") reply.last_modified = "\x80";
  reply.not_modified = how == "not-modified";
  UniqueFd body = memory(1);
  if (how == "unsealed") body = unsealed_memory();
  if (how == "no-output") body.reset();
  socket.send(reply, body.get());
  if (how == "twice") socket.send(reply, body.get());
}

void serve(PacketSocket socket, const std::string& how) {
  wire::Ready ready{IMGPRESS_VERSION, static_cast<std::uint32_t>(::getpid()), {}};
  if (how == "other-version") ready.version = "9.9.9";
  if (how == "other-pid") ++ready.pid;
  if (how != "never-ready") socket.send(ready);
  if (how == "ready-then-gone") return;
  Packet packet;
  while (socket.receive(packet) == PacketSocket::Received::kPacket) {
    if (how == "dies") return;
    if (how == "silent" || how == "never-ready") continue;
    if (how == "nonsense") {
      socket.send(wire::FetcherSettings{});
    } else if (const auto* image = std::get_if<wire::CompressRequest>(&packet.message)) {
      answer_image(socket, *image, how);
    } else if (const auto* transfer = std::get_if<wire::FetchRequest>(&packet.message)) {
      answer_transfer(socket, *transfer, how);
    }
  }
}

}  // namespace

int main() {
  const std::string how = name_of_executable();
  if (how == "ends-at-once") return 1;
  serve(PacketSocket(UniqueFd(3)), how);
  return 0;
}
