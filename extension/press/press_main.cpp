// imgpress-press: the confined helper process that downloads images (role fetcher) or compresses
// them (role codec). Started by PostgreSQL backends and drainers; see sandbox/confinement.hpp.

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string_view>
#include <utility>

#include "press/codec/codec_role.hpp"
#include "press/sandbox/confinement.hpp"
#include "press/fetch/fetcher_role.hpp"

namespace {

using imgpress::PacketSocket;
using imgpress::UniqueFd;

constexpr int kUsageError = 2;

int print_usage() {
  std::fputs(
      "imgpress-press is the helper process of the PostgreSQL extension imgpress.\n"
      "PostgreSQL starts it; it is of no use by hand.\n"
      "Usage: imgpress-press fetcher|codec (with the backend's socket as descriptor 3)\n"
      "       imgpress-press --version\n",
      stderr);
  return kUsageError;
}

void run(bool is_fetcher) {
  using namespace imgpress::press;
  confine_common();
  is_fetcher ? confine_fetcher() : confine_codec();
  PacketSocket socket{UniqueFd(kSocketFd)};
  socket.send(imgpress::wire::Ready{IMGPRESS_VERSION, static_cast<std::uint32_t>(::getpid()),
                                    layers_in_force()});
  is_fetcher ? run_fetcher(std::move(socket)) : run_codec(std::move(socket));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view word = argc == 2 ? argv[1] : "";
  if (word == "--version") {
    std::puts("imgpress-press " IMGPRESS_VERSION);
    return 0;
  }
  const bool is_fetcher = word == "fetcher";
  if (!is_fetcher && word != "codec") return print_usage();
  if (!imgpress::press::is_press_socket(imgpress::press::kSocketFd)) return print_usage();
  try {
    run(is_fetcher);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgpress-press %s: %s\n", argv[1], error.what());
    return 1;
  }
}
