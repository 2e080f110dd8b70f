#include "press/sandbox/system_calls.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace imgpress::press {
namespace {

using Rules = std::vector<CallRule>;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;  // the sanitizer's runtime makes many more calls
#else
constexpr bool kSanitized = false;
#endif

// The argument has none of these bits.
constexpr ArgumentTest none_of(unsigned argument, std::uint32_t bits) {
  return {argument, bits, 0};
}

constexpr ArgumentTest is(unsigned argument, std::uint32_t value) {
  return {argument, kWholeArgument, value};
}

void allow(Rules& rules, std::initializer_list<long> calls) {
  for (const long call : calls) rules.push_back({call, kAllowed});
}

void refuse(Rules& rules, int error, std::initializer_list<long> calls) {
  for (const long call : calls) rules.push_back({call, error});
}

// Allows the call with arguments that pass the tests; with others it answers the error.
void allow_if(Rules& rules, long call, const std::array<ArgumentTest, kMostTests>& tests) {
  rules.push_back({call, kAllowed, tests});
}

void allow_socket_option(Rules& rules, int level, std::initializer_list<int> options) {
  for (const int option : options) {
    allow_if(rules, SYS_setsockopt,
             {is(1, static_cast<std::uint32_t>(level)), is(2, static_cast<std::uint32_t>(option))});
  }
}

// Ahead of all others what every image and every transfer needs, as the kernel looks for a rule
// from the first to the last.
void allow_memory_and_messages(Rules& rules) {
  allow(rules, {SYS_read, SYS_write, SYS_close, SYS_recvmsg, SYS_munmap, SYS_futex, SYS_madvise,
                SYS_brk, SYS_mremap, SYS_memfd_create, SYS_getrusage});
  for (const long call : {SYS_mmap, SYS_mprotect}) {
    allow_if(rules, call, {none_of(2, PROT_EXEC)});
  }
  // MSG_FASTOPEN would connect a socket, which Landlock does not see in some kernels.
  allow_if(rules, SYS_sendmsg, {none_of(2, MSG_FASTOPEN)});
  // F_SETOWN, F_SETSIG and O_ASYNC would send signals to other processes.
  for (const int command : {F_ADD_SEALS, F_GET_SEALS, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC}) {
    allow_if(rules, SYS_fcntl, {is(1, static_cast<std::uint32_t>(command))});
  }
  allow_if(rules, SYS_fcntl, {is(1, F_SETFL), none_of(2, O_ASYNC)});
  allow_if(rules, SYS_prlimit64, {is(0, 0)});  // its own limits only
}

// What the C library needs now and then: to wait, to abort, for random numbers and times.
void allow_basics(Rules& rules) {
  allow(rules,
        {SYS_fstat,     SYS_newfstatat,   SYS_ftruncate,      SYS_lseek,        SYS_pread64,
         SYS_writev,    SYS_getrandom,    SYS_clock_gettime,  SYS_clock_getres, SYS_clock_nanosleep,
         SYS_nanosleep, SYS_gettimeofday, SYS_sysinfo,        SYS_sched_yield,  SYS_getpid,
         SYS_gettid,    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall,
         SYS_exit,      SYS_exit_group});
  allow_if(rules, SYS_tgkill, {is(0, static_cast<std::uint32_t>(::getpid()))});
}

void allow_files(Rules& rules) {
  // Which files is Landlock's part.
  allow_if(rules, SYS_openat, {none_of(2, O_ACCMODE | O_CREAT | O_TRUNC)});
}

// TCP and UDP only: Landlock does not know the ports of other protocols, MPTCP for instance.
void allow_internet(Rules& rules) {
  constexpr std::uint32_t kTypeMask = 0xF;  // without SOCK_CLOEXEC and SOCK_NONBLOCK
  for (const std::uint32_t family : {AF_INET, AF_INET6}) {
    for (const std::uint32_t protocol : {0, static_cast<int>(IPPROTO_TCP)}) {
      allow_if(rules, SYS_socket,
               {is(0, family), ArgumentTest{1, kTypeMask, SOCK_STREAM}, is(2, protocol)});
    }
    for (const std::uint32_t protocol : {0, static_cast<int>(IPPROTO_UDP)}) {
      allow_if(rules, SYS_socket,
               {is(0, family), ArgumentTest{1, kTypeMask, SOCK_DGRAM}, is(2, protocol)});
    }
  }
  refuse(rules, EAFNOSUPPORT, {SYS_socket});
  for (const long call : {SYS_sendto, SYS_sendmmsg}) {
    allow_if(rules, call, {none_of(3, MSG_FASTOPEN)});
  }
  allow(rules, {SYS_bind, SYS_connect, SYS_recvfrom, SYS_recvmmsg, SYS_getsockname, SYS_getpeername,
                SYS_getsockopt, SYS_shutdown});
  allow_socket_option(rules, SOL_SOCKET, {SO_KEEPALIVE, SO_RCVBUF, SO_SNDBUF});
  allow_socket_option(rules, IPPROTO_TCP, {TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT});
  allow_socket_option(rules, IPPROTO_IP, {IP_RECVERR, IP_TOS, IP_MTU_DISCOVER});
  allow_socket_option(rules, IPPROTO_IPV6, {IPV6_RECVERR, IPV6_V6ONLY, IPV6_MTU_DISCOVER});
}

// libcurl wakes its loop by one of these. The ends of a stream are connected to one another, and
// cannot be connected to anything else.
void allow_waiting(Rules& rules) {
  allow_if(rules, SYS_socketpair, {is(0, AF_UNIX), ArgumentTest{1, 0xF, SOCK_STREAM}});
  allow(rules,
        {SYS_eventfd2, SYS_pipe2, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll});
#ifdef SYS_epoll_wait  // aarch64 has only the newer calls
  allow(rules, {SYS_epoll_wait, SYS_poll});
#endif
  for (const std::uint32_t command : {FIONREAD, FIONBIO}) {
    allow_if(rules, SYS_ioctl, {is(1, command)});
  }
}

// Threads look up names. They are made by clone(): clone3(), whose flags a filter cannot see,
// answers ENOSYS.
void allow_threads(Rules& rules) {
  constexpr std::uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  allow_if(rules, SYS_clone,
           {ArgumentTest{0, CLONE_THREAD | CLONE_PTRACE | kNamespaces, CLONE_THREAD}});
  allow(rules, {SYS_set_robust_list, SYS_rseq, SYS_uname, SYS_sched_getaffinity, SYS_getuid,
                SYS_geteuid, SYS_getgid, SYS_getegid});
}

// A press never does these. EPERM tells that they are refused, not missing.
void refuse_attacks(Rules& rules) {
  refuse(rules, EPERM,
         {SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
          SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_process_vm_readv,
          SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp, SYS_prlimit64, SYS_fcntl});
  refuse(rules, EPERM,
         {SYS_execve,
          SYS_execveat,
          SYS_unshare,
          SYS_setns,
          SYS_mount,
          SYS_umount2,
          SYS_pivot_root,
          SYS_chroot,
          SYS_chdir,
          SYS_fchdir,
          SYS_open_tree,
          SYS_move_mount,
          SYS_fsopen,
          SYS_openat,
          SYS_openat2,
          SYS_open_by_handle_at,
          SYS_name_to_handle_at,
          SYS_truncate,
          SYS_unlinkat,
          SYS_renameat2,
          SYS_linkat,
          SYS_symlinkat,
          SYS_mkdirat,
          SYS_mknodat,
          SYS_fchmod,
          SYS_fchmodat,
          SYS_fchown,
          SYS_fchownat,
          SYS_inotify_init1,
          SYS_fanotify_init});
  refuse(rules, EPERM, {SYS_socket,     SYS_socketpair, SYS_bind,   SYS_listen,   SYS_accept,
                        SYS_accept4,    SYS_connect,    SYS_sendto, SYS_sendmsg,  SYS_sendmmsg,
                        SYS_setsockopt, SYS_ioctl,      SYS_mmap,   SYS_mprotect, SYS_pkey_mprotect,
                        SYS_shmget,     SYS_shmat,      SYS_msgget, SYS_semget,   SYS_mq_open});
  refuse(rules, EPERM,
         {SYS_bpf,
          SYS_perf_event_open,
          SYS_userfaultfd,
          SYS_io_uring_setup,
          SYS_io_uring_enter,
          SYS_io_uring_register,
          SYS_keyctl,
          SYS_add_key,
          SYS_request_key,
          SYS_init_module,
          SYS_finit_module,
          SYS_kexec_load,
          SYS_reboot,
          SYS_personality,
          SYS_setuid,
          SYS_setgid,
          SYS_setresuid,
          SYS_setresgid,
          SYS_setgroups,
          SYS_capset,
          SYS_prctl,
          SYS_seccomp,
          SYS_setpriority,
          SYS_sched_setscheduler,
          SYS_sched_setattr,
          SYS_ioprio_set});
#ifdef SYS_open  // the older forms of the same calls
  refuse(rules, EPERM,
         {SYS_open, SYS_creat, SYS_unlink, SYS_rename, SYS_renameat, SYS_link, SYS_symlink,
          SYS_mkdir, SYS_rmdir, SYS_mknod, SYS_chmod, SYS_chown, SYS_lchown, SYS_inotify_init});
#endif
  if (kSanitized) return;  // the sanitizer traces its own process in search of leaks
  refuse(rules, EPERM, {SYS_ptrace, SYS_clone});
#ifdef SYS_fork
  refuse(rules, EPERM, {SYS_fork, SYS_vfork});
#endif
}

}  // namespace

std::vector<CallRule> codec_calls() {
  Rules rules;
  rules.reserve(256);
  allow_memory_and_messages(rules);
  allow_basics(rules);
  if (kSanitized) allow_files(rules);
  refuse_attacks(rules);
  return rules;
}

std::vector<CallRule> fetcher_calls() {
  Rules rules;
  rules.reserve(256);
  allow_memory_and_messages(rules);
  allow_internet(rules);
  allow_waiting(rules);
  allow_basics(rules);
  allow_files(rules);
  allow_threads(rules);
  refuse_attacks(rules);
  return rules;
}

int error_of_other_calls() {
  return kSanitized ? kAllowed : ENOSYS;
}

}  // namespace imgpress::press
