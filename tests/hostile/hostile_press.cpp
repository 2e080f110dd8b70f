// A press in the hands of an attacker. It is started like the real one, and confined by the same
// code; the name of its file says how much:
//
//   hostile             as the real one
//   hostile-abi2        with the rights of Landlock ABI 2
//   hostile-unconfined  without the limits of its role, Landlock and seccomp
//   hostile-codec       the codec only; its fetcher is the real one
//   without-landlock    the real one, on a kernel that refuses Landlock
//   without-seccomp     the real one, on a kernel that refuses seccomp filters
//
// An image, or a URL, that begins with "attack NAME ARGUMENT" or "lie NAME" tells what to try. The
// error that answers an attack tells its result. Other images are compressed as usual.
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <sstream>

#include "attacks.hpp"
#include "channel/sealed_memory.hpp"
#include "lies.hpp"
#include "press/codec/codec.hpp"
#include "press/fetch/fetcher_role.hpp"
#include "press/roles.hpp"
#include "press/sandbox/syscall_filter.hpp"

namespace {

using namespace imgpress;
using namespace imgpress::hostile;

std::string name_of_executable() {
  return std::filesystem::read_symlink("/proc/self/exe").filename();
}

Attacks all_attacks() {
  Attacks attacks;
  add_attacks_on_files(attacks);
  add_attacks_on_the_network(attacks);
  add_attacks_on_the_kernel(attacks);
  add_attacks_on_processes(attacks);
  return attacks;
}

struct Order {
  std::string kind;  // "attack", "lie", or anything
  std::string name;
  std::string argument;
};

Order parse(const std::string& text) {
  Order order;
  std::istringstream words(text);
  words >> order.kind >> order.name >> order.argument;
  return order;
}

// "open: EACCES", or "open: succeeded".
std::string attack(const Order& order) {
  static const Attacks attacks = all_attacks();
  const auto found = attacks.find(order.name);
  if (found == attacks.end()) return order.name + ": unknown attack";
  const int error = found->second(order.argument);
  return order.name + ": " + (error == 0 ? "succeeded" : ::strerrorname_np(error));
}

void compress(PacketSocket& socket, const wire::CompressRequest& request, ByteView source) {
  wire::CompressReply reply;
  reply.id = request.id;
  UniqueFd output;
  try {
    const auto result = press::compress(source, {request.options, request.max_pixels});
    reply.format = result.format;
    reply.width = result.width;
    reply.height = result.height;
    output = make_sealed("output", {result.bytes.data(), result.bytes.size()});
  } catch (const FaultError& error) {
    reply.fault = error.fault();
    reply.reason = error.what();
  }
  socket.send(reply, output.get());
}

void serve_image(PacketSocket& socket, const wire::CompressRequest& request, int source_fd) {
  const SealedView source(source_fd);
  const ByteView bytes = source.bytes();
  const Order order = parse({reinterpret_cast<const char*>(bytes.data), bytes.size});
  if (order.kind == "attack") {
    wire::CompressReply reply;
    reply.id = request.id;
    reply.fault = Fault::kNotAnImage;
    reply.reason = attack(order);
    socket.send(reply);
  } else if (order.kind != "lie" || !answer_with_lie(socket, order.name, request.id, false)) {
    compress(socket, request, bytes);
  }
}

void serve_transfer(PacketSocket& socket, const wire::FetchRequest& request) {
  const Order order = parse(request.url);
  if (order.kind == "lie" && answer_with_lie(socket, order.name, request.id, true)) return;
  wire::FetchReply reply;
  reply.id = request.id;
  reply.fault = Fault::kBadUrl;
  reply.message = attack(order);
  socket.send(reply);
}

void serve(PacketSocket socket) {
  Packet packet;
  while (socket.receive(packet) == PacketSocket::Received::kPacket) {
    if (const auto* image = std::get_if<wire::CompressRequest>(&packet.message)) {
      serve_image(socket, *image, packet.attachment.get());
    } else if (const auto* transfer = std::get_if<wire::FetchRequest>(&packet.message)) {
      serve_transfer(socket, *transfer);
    }
  }
}

void attack_from_inside(press::PressStart start, const std::string& name) {
  press::confine_common();
  PacketSocket socket{UniqueFd(press::kSocketFd)};
  std::vector<std::string> files;
  if (start.is_fetcher) files = press::prepare_fetcher();
  if (name == "hostile-abi2") start.how.most_landlock = 2;
  wire::Confined confined;
  if (name != "hostile-unconfined") {
    confined.confinement = start.is_fetcher ? press::confine_fetcher(start.how, files)
                                            : press::confine_codec(start.how);
  }
  socket.send(wire::Ready{IMGPRESS_VERSION, static_cast<std::uint32_t>(::getpid()), {}});
  socket.send(confined);
  serve(std::move(socket));
}

// As a container does whose profile does not know the call.
void refuse(const press::CallRule& rule) {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
  press::install_filter({rule}, press::kAllowed);
}

void run(const press::PressStart& start, const std::string& name) {
  if (name == "without-landlock") refuse({SYS_landlock_create_ruleset, ENOSYS});
  if (name == "without-seccomp") {
    refuse({SYS_prctl, EINVAL, {press::ArgumentTest{0, press::kWholeArgument, PR_SET_SECCOMP}}});
  }
  const bool is_real = name.rfind("without-", 0) == 0;
  if (is_real || (name == "hostile-codec" && start.is_fetcher)) {
    press::run_press(start);
  } else {
    attack_from_inside(start, name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--attacks") == 0) {
    for (const auto& [name, ignored] : all_attacks()) std::puts(name.c_str());
    return 0;
  }
  const auto start = press::parse_start(argc, argv);
  if (!start) return 2;
  survive_missing_calls();
  try {
    run(*start, name_of_executable());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgpress-hostile-press: %s\n", error.what());
    return 1;
  }
}
