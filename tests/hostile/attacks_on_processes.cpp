#include <fcntl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "attacks.hpp"

namespace imgpress::hostile {
namespace {

constexpr int kSocketFd = 3;
// Signal 0 is checked like any other, and not delivered.
constexpr int kNoSignal = 0;

pid_t process(const std::string& argument) {
  return static_cast<pid_t>(std::stol(argument));
}

int queue_signal(const std::string& pid) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return error_of(::syscall(SYS_rt_sigqueueinfo, process(pid), kNoSignal, &info));
}

int queue_thread_signal(const std::string& pid) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return error_of(::syscall(SYS_rt_tgsigqueueinfo, process(pid), process(pid), kNoSignal, &info));
}

// The kernel then signals that process when a message comes.
int own_socket_by(const std::string& pid) {
  const int error = error_of(::syscall(SYS_fcntl, kSocketFd, F_SETOWN, process(pid)));
  ::syscall(SYS_fcntl, kSocketFd, F_SETOWN, 0);
  return error;
}

int own_socket_by_ex(const std::string& pid) {
  const std::array<int, 2> owner{1, process(pid)};  // F_OWNER_PID
  const int error = error_of(::syscall(SYS_fcntl, kSocketFd, 15, owner.data()));
  ::syscall(SYS_fcntl, kSocketFd, F_SETOWN, 0);
  return error;
}

int own_socket_by_ioctl(const std::string& pid, unsigned long command) {
  int owner = process(pid);
  const int error = error_of(::syscall(SYS_ioctl, kSocketFd, command, &owner));
  owner = 0;
  ::syscall(SYS_ioctl, kSocketFd, command, &owner);
  return error;
}

int signal_when_readable(const std::string&) {
  const long flags = ::syscall(SYS_fcntl, kSocketFd, F_GETFL, 0);
  const int error = error_of(::syscall(SYS_fcntl, kSocketFd, F_SETFL, flags | O_ASYNC));
  ::syscall(SYS_fcntl, kSocketFd, F_SETFL, flags);
  return error;
}

int read_limit(const std::string& pid) {
  rlimit limit{};
  return error_of(::syscall(SYS_prlimit64, process(pid), RLIMIT_NOFILE, nullptr, &limit));
}

int read_memory(const std::string& pid) {
  std::array<char, 8> bytes{};
  const iovec local{bytes.data(), bytes.size()};
  // Any address that is mapped in both, because both run without address randomisation or not: an
  // address that is not mapped gives EFAULT, which is no refusal.
  const iovec remote{bytes.data(), bytes.size()};
  return error_of(::syscall(SYS_process_vm_readv, process(pid), &local, 1UL, &remote, 1UL, 0UL));
}

int write_memory(const std::string& pid) {
  const iovec nothing{nullptr, 0};
  return error_of(
      ::syscall(SYS_process_vm_writev, process(pid), &nothing, 1UL, &nothing, 1UL, 0UL));
}

int attach(const std::string& pid) {
  const int error = error_of(::syscall(SYS_ptrace, PTRACE_SEIZE, process(pid), 0UL, 0UL));
  if (error == 0) ::syscall(SYS_ptrace, PTRACE_DETACH, process(pid), 0UL, 0UL);
  return error;
}

int run_program(const std::string& path) {
  char* const arguments[] = {nullptr};
  return error_of(::syscall(SYS_execve, path.c_str(), arguments, arguments));
}

// The parent's side of a call that makes a process, whose child ends at once.
int made_process(long child) {
  if (child == 0) ::syscall(SYS_exit_group, 0);
  if (child < 0) return errno;
  ::waitpid(static_cast<pid_t>(child), nullptr, __WALL);
  return 0;
}

int clone_process(const std::string&) {
  return made_process(::syscall(SYS_clone, SIGCHLD, 0UL, 0UL, 0UL, 0UL));
}

int clone3_process(const std::string&) {
  std::array<std::uint64_t, 11> arguments{};
  arguments[4] = SIGCHLD;  // exit_signal
  return made_process(::syscall(SYS_clone3, arguments.data(), sizeof arguments));
}

}  // namespace

void add_attacks_on_processes(Attacks& attacks) {
  attacks["kill"] = [](const std::string& pid) {
    return error_of(::syscall(SYS_kill, process(pid), kNoSignal));
  };
  attacks["tkill"] = [](const std::string& pid) {
    return error_of(::syscall(SYS_tkill, process(pid), kNoSignal));
  };
  attacks["tgkill"] = [](const std::string& pid) {
    return error_of(::syscall(SYS_tgkill, process(pid), process(pid), kNoSignal));
  };
  attacks["sigqueue"] = queue_signal;
  attacks["tgsigqueue"] = queue_thread_signal;
  attacks["pidfd-open"] = [](const std::string& pid) {
    return error_of(::syscall(SYS_pidfd_open, process(pid), 0));
  };
  attacks["pidfd-signal"] = [](const std::string&) {
    return error_of(::syscall(SYS_pidfd_send_signal, -1, kNoSignal, nullptr, 0));
  };
  attacks["setown"] = own_socket_by;
  attacks["setown-ex"] = own_socket_by_ex;
  attacks["setsig"] = [](const std::string&) {
    return error_of(::syscall(SYS_fcntl, kSocketFd, 10, SIGKILL));  // F_SETSIG
  };
  attacks["async"] = signal_when_readable;
  attacks["fiosetown"] = [](const std::string& pid) { return own_socket_by_ioctl(pid, 0x8901); };
  attacks["siocspgrp"] = [](const std::string& pid) { return own_socket_by_ioctl(pid, 0x8902); };
  attacks["prlimit"] = read_limit;
  attacks["read-memory"] = read_memory;
  attacks["write-memory"] = write_memory;
  attacks["ptrace"] = attach;
  attacks["setpriority"] = [](const std::string& pid) {
    return error_of(::syscall(SYS_setpriority, PRIO_PROCESS, process(pid), 19));
  };
  attacks["execve"] = run_program;
  attacks["clone"] = clone_process;
  attacks["clone3"] = clone3_process;
#ifdef SYS_fork
  attacks["fork"] = [](const std::string&) { return made_process(::syscall(SYS_fork)); };
  attacks["vfork"] = [](const std::string&) {
    const pid_t child = ::vfork();
    if (child == 0) ::_exit(0);
    if (child < 0) return errno;
    ::waitpid(child, nullptr, 0);
    return 0;
  };
#endif
}

}  // namespace imgpress::hostile
