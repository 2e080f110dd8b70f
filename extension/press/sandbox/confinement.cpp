#include "press/sandbox/confinement.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include "channel/unique_fd.hpp"

namespace imgpress::press {
namespace {

// A transfer needs a socket and a memfd; hundreds run at once.
constexpr rlim_t kFetcherFiles = 8192;
// A codec opens a few at a time, but this is also how many descriptors of PostgreSQL's user, in all
// of its processes, may be under way when a codec sends one.
constexpr rlim_t kCodecFiles = 8192;
constexpr rlim_t kCodecAddressSpace = rlim_t{2} << 30;
// Counts for memfds as well, so it cannot be 0; no image is longer than a bytea can be.
constexpr rlim_t kLargestFile = rlim_t{1} << 30;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Soft and hard limit, never above the hard limit that is in force.
void set_limit(__rlimit_resource resource, rlim_t value, const char* name) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) fail(name);
  const rlim_t reachable = std::min(value, limit.rlim_max);
  limit = {reachable, reachable};
  if (::setrlimit(resource, &limit) != 0) fail(name);
}

void set_process_flag(int option, unsigned long value, const char* name) {
  if (::prctl(option, value, 0UL, 0UL, 0UL) != 0) fail(name);
}

// PostgreSQL signals whole process groups: a cancelled statement must not take along the press
// that the session keeps. SIGQUIT (immediate shutdown) and SIGKILL still end it. Writes beyond
// RLIMIT_FSIZE and to closed sockets are errors to handle, not reasons to die.
void ignore_group_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) {
    if (std::signal(signal, SIG_IGN) == SIG_ERR) fail("signal");
  }
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) fail("sigprocmask");
}

void die_with_parent() {
  set_process_flag(PR_SET_PDEATHSIG, SIGKILL, "PR_SET_PDEATHSIG");
  // The parent may have died before the line above. The socket remembers who made it.
  ucred maker{};
  socklen_t size = sizeof maker;
  if (::getsockopt(kSocketFd, SOL_SOCKET, SO_PEERCRED, &maker, &size) != 0) fail("SO_PEERCRED");
  if (::getppid() != maker.pid) throw std::runtime_error("the parent process is gone");
}

void drop_descriptors() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) fail("open /dev/null");
  // stderr stays: it ends in PostgreSQL's log.
  if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0) fail("dup2");
  null.reset();
  ::closefrom(kSocketFd + 1);
  if (::chdir("/") != 0) fail("chdir");
}

// When memory runs out the kernel should take a press, not a backend. Best effort: a container may
// mount /proc read-only.
void volunteer_for_oom_killer() {
  const UniqueFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), "1000", 4) < 0) return;
}

}  // namespace

bool is_press_socket(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  return domain == AF_UNIX && type == SOCK_SEQPACKET;
}

void confine_common() {
  ignore_group_signals();
  die_with_parent();
  drop_descriptors();
  volunteer_for_oom_killer();
  set_process_flag(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS");
  // Keeps other processes of the same user from attaching; /proc/self is out of reach from here on.
  set_process_flag(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE");
  set_limit(RLIMIT_CORE, 0, "RLIMIT_CORE");
  set_limit(RLIMIT_FSIZE, kLargestFile, "RLIMIT_FSIZE");
}

void confine_fetcher() {
  set_limit(RLIMIT_NOFILE, kFetcherFiles, "RLIMIT_NOFILE");
  // The place of the fetcher's Landlock rules (read-only: resolver configuration, CA bundle and
  // what getaddrinfo loads) and of its seccomp filter (sockets AF_INET and AF_INET6 only).
}

void confine_codec() {
  set_limit(RLIMIT_NOFILE, kCodecFiles, "RLIMIT_NOFILE");
  set_limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC");
#ifndef __SANITIZE_ADDRESS__  // the sanitizer's shadow memory alone is larger
  set_limit(RLIMIT_AS, kCodecAddressSpace, "RLIMIT_AS");
#endif
  // The place of the codec's empty Landlock ruleset and of its seccomp allow-list.
}

std::vector<std::string> layers_in_force() {
  const auto limit_of = [](__rlimit_resource resource) {
    rlimit limit{};
    return ::getrlimit(resource, &limit) == 0 ? limit.rlim_max : RLIM_INFINITY;
  };
  std::vector<std::string> layers;
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) layers.emplace_back("no_new_privs");
  if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) layers.emplace_back("undumpable");
  if (limit_of(RLIMIT_NPROC) == 0) layers.emplace_back("no_processes");
  if (limit_of(RLIMIT_AS) <= kCodecAddressSpace) layers.emplace_back("memory_limit");
  if (limit_of(RLIMIT_FSIZE) <= kLargestFile) layers.emplace_back("file_size_limit");
  return layers;
}

void limit_cpu(std::uint32_t seconds) {
  rusage usage{};
  rlimit limit{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) fail("getrusage");
  if (::getrlimit(RLIMIT_CPU, &limit) != 0) fail("RLIMIT_CPU");
  const auto microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  const auto used = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + microseconds / 1'000'000 + 1;
  limit.rlim_cur = std::min(static_cast<rlim_t>(used) + seconds, limit.rlim_max);
  if (::setrlimit(RLIMIT_CPU, &limit) != 0) fail("RLIMIT_CPU");
}

}  // namespace imgpress::press
