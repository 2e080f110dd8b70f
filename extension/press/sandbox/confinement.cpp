#include "press/sandbox/confinement.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include "channel/unique_fd.hpp"
#include "press/sandbox/landlock.hpp"
#include "press/sandbox/resource_limits.hpp"
#include "press/sandbox/system_calls.hpp"

namespace imgpress::press {
namespace {

// A long answer from a name server comes over TCP.
constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

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
  // stderr goes to PostgreSQL's log, and stays open until the press is confined.
  if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0) fail("dup2");
  null.reset();
  ::closefrom(kSocketFd + 1);
  if (::chdir("/") != 0) fail("chdir");
}

// Whoever holds the server's log can erase it, write what looks like messages of other processes,
// or fill the disk. What a press has to say from here on, it tells its owner.
void let_go_of_log() {
#ifndef __SANITIZE_ADDRESS__  // the sanitizer's reports go there
  if (::dup2(STDIN_FILENO, STDERR_FILENO) < 0) fail("dup2");
#endif
}

// When memory runs out, the kernel should end a press rather than a backend. Failure is ignored: in
// a container /proc may be read-only.
void prefer_for_oom_killer() {
  const UniqueFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), "1000", 4) < 0) return;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

[[noreturn]] void refuse(const std::string& layer, const std::system_error& error,
                         const std::string& remedy) {
  throw MissingLayer("the processes that handle images cannot be confined: the kernel (Linux " +
                     kernel_release() + ") refuses " + layer + " (" + error.what() +
                     "): " + remedy + ", or set imgpress.sandbox to best_effort to go without");
}

void add_landlock(Confinement& got, const Confining& how, const LandlockRules& rules) {
  try {
    const int abi = std::min(landlock_abi(), how.most_landlock);
    restrict_by_landlock(rules, abi);
    got.add(Layer::kLandlock);
    got.landlock_abi = static_cast<std::uint32_t>(abi);
  } catch (const std::system_error& error) {
    if (how.best_effort) return;
    refuse("Landlock", error,
           "it needs Linux 5.13 or later with landlock among its security modules (lsm=), and a "
           "container whose seccomp profile allows the system calls landlock_*");
  }
}

void add_filter(Confinement& got, const Confining& how, const std::vector<CallRule>& calls) {
  try {
    install_filter(calls, error_of_other_calls());
    got.add(Layer::kSeccomp);
  } catch (const std::system_error& error) {
    if (how.best_effort) return;
    refuse("a seccomp filter", error,
           "it needs CONFIG_SECCOMP_FILTER, and a container whose seccomp profile allows prctl()");
  }
}

// The filter last, because it refuses what the other layers are made with.
Confinement add_kernel_layers(const Confining& how, const LandlockRules& rules,
                              const std::vector<CallRule>& calls) {
  Confinement got;
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) got.add(Layer::kNoNewPrivs);
  if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) got.add(Layer::kUndumpable);
  note_limits(got);
  add_landlock(got, how, rules);
  let_go_of_log();
  add_filter(got, how, calls);
  return got;
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

Confinement confine_fetcher(const Confining& how, const std::vector<std::string>& readable_files) {
  limit_fetcher();
  LandlockRules rules;
  rules.readable_files = readable_files;
  rules.any_port = how.any_port;
  rules.ports = {kDnsPort, kHttpPort, kHttpsPort};
  Confinement got = add_kernel_layers(how, rules, fetcher_calls());
  got.reaches_network = true;
  got.reaches_any_port = how.any_port;
  return got;
}

Confinement confine_codec(const Confining& how) {
  limit_codec(how.memory_bytes);
  return add_kernel_layers(how, {}, codec_calls());
}

}  // namespace imgpress::press
