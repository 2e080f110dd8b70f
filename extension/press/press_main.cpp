// imgpress-press: the confined helper process that downloads images (role fetcher) or compresses
// them (role codec). Started by PostgreSQL backends and drainers; see sandbox/confinement.hpp.

#include <cstdio>
#include <exception>
#include <string_view>

#include "press/roles.hpp"

namespace {

constexpr int kUsageError = 2;

int print_usage() {
  std::fputs(
      "imgpress-press is the helper process of the PostgreSQL extension imgpress.\n"
      "PostgreSQL starts it; it is of no use by hand.\n"
      "Usage: imgpress-press fetcher|codec [--best-effort] [--any-port] (with the backend's socket "
      "as descriptor 3)\n"
      "       imgpress-press --version\n",
      stderr);
  return kUsageError;
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__
// A press has no environment to read options from. To look for leaks a process traces itself, which
// a press may not; the unit tests and the fuzzers look for those of a codec.
extern "C" const char* __asan_default_options() {  // NOLINT: the sanitizer's name
  return "detect_leaks=0";
}
#endif

int main(int argc, char** argv) {
  using namespace imgpress::press;
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("imgpress-press " IMGPRESS_VERSION);
    return 0;
  }
  const auto start = parse_start(argc, argv);
  if (!start || !is_press_socket(kSocketFd)) return print_usage();
  try {
    run_press(*start);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imgpress-press %s: %s\n", argv[1], error.what());
    return 1;
  }
}
