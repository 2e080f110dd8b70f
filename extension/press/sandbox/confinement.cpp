#include "press/sandbox/confinement.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include "channel/unique_fd.hpp"
#include "press/sandbox/resource_limits.hpp"

namespace imgpress::press {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void set_process_flag(int option, unsigned long value, const char* name) {
  if (::prctl(option, value, 0UL, 0UL, 0UL) != 0) fail(name);
}

// PostgreSQL signals whole process groups: a cancelled statement must not end the press that the
// session keeps. SIGQUIT (immediate shutdown) and SIGKILL still do. Writing beyond RLIMIT_FSIZE or
// to a closed socket returns an error instead of ending the process.
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
  // The parent may have died before that call. The socket tells which process made it.
  ucred maker{};
  socklen_t size = sizeof maker;
  if (::getsockopt(kSocketFd, SOL_SOCKET, SO_PEERCRED, &maker, &size) != 0) fail("SO_PEERCRED");
  if (::getppid() != maker.pid) throw std::runtime_error("the parent process is gone");
}

void close_descriptors() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) fail("open /dev/null");
  // stderr stays open: it goes to PostgreSQL's log.
  if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0) fail("dup2");
  null.reset();
  ::closefrom(kSocketFd + 1);
  if (::chdir("/") != 0) fail("chdir");
}

// When memory runs out, the kernel should end a press rather than a backend. Failure is ignored: in
// a container /proc may be read-only.
void prefer_for_oom_killer() {
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
  close_descriptors();
  prefer_for_oom_killer();
  set_process_flag(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS");
  // Other processes of the same user cannot attach any more. /proc/self belongs to root from here
  // on, so the OOM score has to be set before.
  set_process_flag(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE");
  limit_press();
}

void confine_fetcher() {
  limit_fetcher();
  // The place of the fetcher's Landlock rules (read-only: resolver configuration, CA bundle and
  // what getaddrinfo loads) and of its seccomp filter (sockets AF_INET and AF_INET6 only).
}

void confine_codec() {
  limit_codec();
  // The place of the codec's empty Landlock ruleset and of its seccomp allow-list.
}

std::vector<std::string> layers_in_force() {
  std::vector<std::string> layers;
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) layers.emplace_back("no_new_privs");
  if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) layers.emplace_back("undumpable");
  for (const std::string& limit : limits_in_force()) layers.push_back(limit);
  return layers;
}

}  // namespace imgpress::press
