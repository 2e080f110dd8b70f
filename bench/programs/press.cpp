// A press with a simulated codec: it sleeps for as long as compressing a photograph takes, and
// replies with half of the source. This shows on two cores whether imgpress keeps eight codecs
// busy. Its fetcher is the real one.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <thread>

#include "channel/packet_socket.hpp"
#include "channel/sealed_memory.hpp"
#include "press/fetch/fetcher_role.hpp"

namespace {

using namespace imgpress;

constexpr std::chrono::microseconds kWork{3100};

void idle_through_images(PacketSocket socket) {
  Packet packet;
  while (socket.receive(packet) == PacketSocket::Received::kPacket) {
    const auto& request = std::get<wire::CompressRequest>(packet.message);
    const SealedView source(packet.attachment.get());
    std::this_thread::sleep_for(kWork);
    wire::CompressReply reply;
    reply.id = request.id;
    reply.width = reply.height = 1;
    reply.work_us = kWork.count();
    const UniqueFd output =
        make_sealed("bench output", {source.bytes().data, source.bytes().size / 2});
    socket.send(reply, output.get());
  }
}

}  // namespace

int main(int, char** argv) try {
  PacketSocket socket{UniqueFd(3)};
  socket.send(wire::Ready{IMGPRESS_VERSION, static_cast<std::uint32_t>(::getpid()), {}});
  if (std::strcmp(argv[1], "fetcher") == 0) {
    press::prepare_fetcher();
    press::run_fetcher(std::move(socket));
  }
  idle_through_images(std::move(socket));
} catch (const std::exception& error) {
  std::fprintf(stderr, "imgpress-bench-press: %s\n", error.what());
  return 1;
}
