// imgpress-gateway: imgpress over HTTP.

#include <csignal>
#include <pthread.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "api/handlers.hpp"
#include "database/finding.hpp"
#include "log.hpp"
#include "options.hpp"

namespace imgpress::gateway {
namespace {

constexpr auto kGrace = std::chrono::seconds(10);

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

// Returns at the first signal; a second one ends the process at once.
void await_end(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

// Each connection needs a file descriptor, and some need another one for a spool.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void serve(Server& server) {
  try {
    server.serve();
  } catch (const std::exception& error) {
    log_line(error.what());
    std::_Exit(EXIT_FAILURE);
  }
}

// --allow-remote counts on localhost, too: behind a proxy, other machines reach the gateway there.
KeyDemand demand_of(const Options& options) {
  if (options.no_keys) return KeyDemand::kNever;
  return options.allow_remote ? KeyDemand::kAlways : KeyDemand::kIfAny;
}

// Throws std::runtime_error if nobody could use the gateway. If the database cannot tell yet, the
// gateway starts: without a key it answers nobody anyway.
void check_keys(Pool& pool, Watch& watch, KeyDemand demand) {
  if (demand != KeyDemand::kAlways || watch.look().problem || any_key(pool)) return;
  throw std::runtime_error(
      "refusing to serve other machines, because the database has no key yet: make one with "
      "SELECT imgpress.create_key('who uses it'), or let everybody in with --no-keys");
}

int run(const Options& options) {
  const sigset_t signals = hold_end_signals();
  raise_file_limit();
  check_conninfo(options.database);
  SpoolSpace space(options.spool_dir, options.max_spool_bytes);
  Server server(options.listen, options.allow_remote);
  Pool pool(options.database, options.connections);
  Watch watch(pool);
  const KeyDemand demand = demand_of(options);
  check_keys(pool, watch, demand);
  std::printf("imgpress-gateway listening on %s\n", server.url().c_str());
  std::fflush(stdout);
  if (demand == KeyDemand::kNever && !server.local_only()) {
    log_line("everybody who can reach this address may use the gateway: --no-keys");
  }

  Service service{server, pool, watch, space, options.max_upload_bytes, options.browser, demand};
  install_routes(service);
  std::thread(serve, std::ref(server)).detach();
  std::thread(&Watch::run, &watch).detach();

  await_end(signals);
  if (!server.drain(kGrace)) log_line("ended with requests under way");
  // None of these was answered; PostgreSQL rolls back what they had begun and not committed.
  std::_Exit(EXIT_SUCCESS);
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
