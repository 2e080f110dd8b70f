#include "press/roles.hpp"

#include <unistd.h>

#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "channel/file_stamp.hpp"
#include "core/text/ascii.hpp"
#include "press/codec/codec_role.hpp"
#include "press/fetch/fetcher_role.hpp"

namespace imgpress::press {
namespace {

constexpr std::uint64_t kMostMegabytes = 1 << 20;

wire::Ready ready(const Confinement& confinement) {
  return {IMGPRESS_VERSION, static_cast<std::uint32_t>(::getpid()), names_of_layers(confinement)};
}

// The stamps are made before the rules, so that a file which is replaced in between is noticed.
wire::Confined confine(const PressStart& start, const std::vector<std::string>& files) {
  wire::Confined confined;
  for (const std::string& file : files) confined.files.push_back(file_stamp(file));
  confined.confinement =
      start.is_fetcher ? confine_fetcher(start.how, files) : confine_codec(start.how);
  return confined;
}

// "--memory-mb=2048"
std::optional<std::uint64_t> memory_of(std::string_view option) {
  constexpr std::string_view kName = "--memory-mb=";
  if (!starts_with(option, kName)) return std::nullopt;
  option.remove_prefix(kName.size());
  std::uint64_t megabytes = 0;
  const char* end = option.data() + option.size();
  const auto [last, error] = std::from_chars(option.data(), end, megabytes);
  const bool is_number = error == std::errc() && last == end;
  if (!is_number || megabytes == 0 || megabytes > kMostMegabytes) return std::nullopt;
  return megabytes;
}

}  // namespace

std::optional<PressStart> parse_start(int argc, char** argv) {
  PressStart start;
  const std::string_view role = argc > 1 ? argv[1] : "";
  start.is_fetcher = role == "fetcher";
  if (!start.is_fetcher && role != "codec") return std::nullopt;
  for (int i = 2; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--best-effort") {
      start.how.best_effort = true;
    } else if (option == "--any-port") {
      start.how.any_port = true;
    } else if (const auto megabytes = memory_of(option)) {
      start.how.memory_bytes = *megabytes << 20;
    } else {
      return std::nullopt;
    }
  }
  return start;
}

void run_press(const PressStart& start) {
  confine_common();
  PacketSocket socket{UniqueFd(kSocketFd)};
  std::vector<std::string> files;
  if (start.is_fetcher) files = prepare_fetcher();
  try {
    const wire::Confined confined = confine(start, files);
    socket.send(ready(confined.confinement));
    socket.send(confined);
  } catch (const MissingLayer& missing) {
    socket.send(ready({}));
    socket.send(wire::Unconfined{missing.what()});
    return;
  }
  start.is_fetcher ? run_fetcher(std::move(socket)) : run_codec(std::move(socket));
}

}  // namespace imgpress::press
