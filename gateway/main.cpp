// imgpress-gateway: imgpress over HTTP.

#include <csignal>
#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <string>
#include <vector>

#include "http_server.hpp"
#include "log.hpp"
#include "options.hpp"
#include "pool.hpp"
#include "queries.hpp"
#include "routes.hpp"

#ifndef IMGPRESS_VERSION
#define IMGPRESS_VERSION "of unknown version"
#endif

namespace imgpress::gateway {
namespace {

constexpr auto kGrace = std::chrono::seconds(5);

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// Blocks SIGTERM and SIGINT in this and all later threads: only await_end() receives them.
sigset_t hold_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void await_end(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
}

int run(const Options& options) {
  const sigset_t signals = hold_end_signals();
  Socket listener = open_listener(options.listen, options.allow_remote);
  const std::string url = url_of(listener);

  Pool pool(options.database, options.connections);
  HttpServer server(
      [&pool](const std::vector<std::string>& ids) { return find_statuses(pool, ids); });
  install_routes(server, pool, options.max_upload_bytes);
  auto serving =
      std::async(std::launch::async, [&server, &listener] { server.serve(std::move(listener)); });
  std::printf("imgpress-gateway listening on %s\n", url.c_str());
  std::fflush(stdout);

  await_end(signals);
  server.stop_serving();
  if (serving.wait_for(kGrace) != std::future_status::ready) {
    log_line("ended with requests under way");
    // PostgreSQL rolls back what these requests had begun; none of them was answered.
    ::_exit(EXIT_SUCCESS);
  }
  return EXIT_SUCCESS;
}

int start(const std::vector<std::string>& arguments) {
  try {
    const Options options = parse_options(arguments, environment);
    if (options.help) return std::fputs(usage().c_str(), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (options.version) return std::puts("imgpress-gateway " IMGPRESS_VERSION) < 0;
    return run(options);
  } catch (const std::exception& error) {
    log_line(error.what());
    return EXIT_FAILURE;
  }
}

}  // namespace
}  // namespace imgpress::gateway

int main(int argc, char** argv) {
  return imgpress::gateway::start(std::vector<std::string>(argv + 1, argv + argc));
}
