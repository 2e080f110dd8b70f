// imgpress-press: the process in which bytes from the internet are fetched (role fetcher) or
// decoded (role codec). Started by PostgreSQL backends only; see confinement.hpp.

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

constexpr int kWrongUse = 2;

int explain() {
  std::fputs(
      "imgpress-press is the helper process of the PostgreSQL extension imgpress.\n"
      "PostgreSQL starts it; there is nothing to be done with it by hand.\n"
      "Usage: imgpress-press fetcher|codec (with the backend's socket as descriptor 3)\n"
      "       imgpress-press --version\n",
      stderr);
  return kWrongUse;
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
  if (!is_fetcher && word != "codec") return explain();
  if (!imgpress::press::is_press_socket(imgpress::press::kSocketFd)) return explain();
  try {
    run(is_fetcher);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgpress-press %s: %s\n", argv[1], error.what());
    return 1;
  }
}
