#include "attacks.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "channel/sealed_memory.hpp"
#include "channel/unique_fd.hpp"

namespace imgpress::hostile {
namespace {

constexpr int kMptcp = 262;

sigjmp_buf before_i386_call;

void leave_i386_call(int) {
  siglongjmp(before_i386_call, 1);
}

int open_with(const std::string& path, int flags) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags, 0)));
  return fd ? 0 : errno;
}

int open_with_openat2(const std::string& path) {
  const std::array<std::uint64_t, 3> how{O_RDONLY, 0, 0};
  return error_of(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), how.data(), sizeof how));
}

int open_by_handle(const std::string& path) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + 128> buffer{};
  auto* handle = reinterpret_cast<file_handle*>(buffer.data());
  handle->handle_bytes = 128;
  int mount = 0;
  const int error =
      error_of(::syscall(SYS_name_to_handle_at, AT_FDCWD, path.c_str(), handle, &mount, 0));
  if (error != 0) return error;
  return error_of(::syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
}

// The owner may be reading memory that it was sent.
int truncate_sent_memory(const std::string&) {
  const std::string bytes = "sent";
  const UniqueFd sent =
      make_sealed("sent", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  return error_of(::syscall(SYS_ftruncate, sent.get(), 0));
}

// PostgreSQL's log, as a press inherits it: to the length that it has.
int truncate_log(const std::string&) {
  struct stat log {};
  if (::fstat(STDERR_FILENO, &log) != 0) return errno;
  return error_of(::syscall(SYS_ftruncate, STDERR_FILENO, log.st_size));
}

int open_socket(int family, int type, int protocol) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_socket, family, type, protocol)));
  return fd ? 0 : errno;
}

int connect_unix(const std::string& path) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)));
  if (!fd) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return error_of(::syscall(SYS_connect, fd.get(), &address, sizeof address));
}

sockaddr_in loopback(const std::string& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A call with a fresh TCP socket and an address on loopback.
template <typename Call>
int with_tcp(const std::string& port, int protocol, Call call) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_socket, AF_INET, SOCK_STREAM, protocol)));
  if (!fd) return errno;
  const sockaddr_in address = loopback(port);
  return error_of(call(fd.get(), &address));
}

int connect_tcp(const std::string& port, int protocol) {
  return with_tcp(port, protocol, [](int fd, const sockaddr_in* address) {
    return ::syscall(SYS_connect, fd, address, sizeof *address);
  });
}

int send_fast_open(const std::string& port) {
  return with_tcp(port, 0, [](int fd, const sockaddr_in* address) {
    return ::syscall(SYS_sendto, fd, "x", 1UL, MSG_FASTOPEN, address, sizeof *address);
  });
}

int listen_on_tcp(const std::string&) {
  return with_tcp("0", 0, [](int fd, const sockaddr_in* address) {
    (void)address;
    return ::syscall(SYS_listen, fd, 1);
  });
}

int bind_tcp(const std::string& port) {
  return with_tcp(port, 0, [](int fd, const sockaddr_in* address) {
    return ::syscall(SYS_bind, fd, address, sizeof *address);
  });
}

int unix_datagram_pair(const std::string&) {
  std::array<int, 2> ends{};
  return error_of(::syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, ends.data()));
}

int map_executable(const std::string&) {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? errno : 0;
}

int make_executable(const std::string&) {
  void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno;
  return error_of(::syscall(SYS_mprotect, page, 4096UL, PROT_READ | PROT_EXEC));
}

}  // namespace

int error_of(long result) {
  return result < 0 ? errno : 0;
}

void add_attacks_on_files(Attacks& attacks) {
  attacks["open"] = [](const std::string& path) { return open_with(path, O_RDONLY); };
  attacks["open-write"] = [](const std::string& path) { return open_with(path, O_WRONLY); };
  attacks["create"] = [](const std::string& path) { return open_with(path, O_WRONLY | O_CREAT); };
  attacks["open-folder"] = [](const std::string& path) { return open_with(path, O_DIRECTORY); };
  attacks["openat2"] = open_with_openat2;
  attacks["open-by-handle"] = open_by_handle;
  attacks["truncate"] = [](const std::string& path) {
    return error_of(::syscall(SYS_truncate, path.c_str(), 1L << 40));
  };
  attacks["unlink"] = [](const std::string& path) {
    return error_of(::syscall(SYS_unlinkat, AT_FDCWD, path.c_str(), 0));
  };
  attacks["rename"] = [](const std::string& path) {
    return error_of(
        ::syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD, (path + ".moved").c_str(), 0U));
  };
  attacks["chmod"] = [](const std::string& path) {
    return error_of(::syscall(SYS_fchmodat, AT_FDCWD, path.c_str(), 0600, 0));
  };
  attacks["truncate-sent-memory"] = truncate_sent_memory;
  attacks["truncate-log"] = truncate_log;
}

void add_attacks_on_the_network(Attacks& attacks) {
  attacks["connect-unix"] = connect_unix;
  attacks["connect-tcp"] = [](const std::string& port) { return connect_tcp(port, 0); };
  attacks["connect-mptcp"] = [](const std::string& port) { return connect_tcp(port, kMptcp); };
  attacks["fast-open"] = send_fast_open;
  attacks["listen"] = listen_on_tcp;
  attacks["bind-tcp"] = bind_tcp;
  attacks["unix-datagram-pair"] = unix_datagram_pair;
  attacks["socket-unix"] = [](const std::string&) { return open_socket(AF_UNIX, SOCK_STREAM, 0); };
  attacks["socket-netlink"] = [](const std::string&) {
    return open_socket(AF_NETLINK, SOCK_RAW, 0);
  };
  attacks["socket-packet"] = [](const std::string&) { return open_socket(AF_PACKET, SOCK_RAW, 0); };
  attacks["socket-vsock"] = [](const std::string&) {
    return open_socket(AF_VSOCK, SOCK_STREAM, 0);
  };
  attacks["socket-alg"] = [](const std::string&) { return open_socket(AF_ALG, SOCK_SEQPACKET, 0); };
  attacks["socket-raw"] = [](const std::string&) {
    return open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  };
  attacks["socket-ping"] = [](const std::string&) {
    return open_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  };
}

void add_attacks_on_the_kernel(Attacks& attacks) {
  attacks["map-executable"] = map_executable;
  attacks["make-executable"] = make_executable;
  attacks["io-uring"] = [](const std::string&) {
    std::array<char, 256> parameters{};
    return error_of(::syscall(SYS_io_uring_setup, 4U, parameters.data()));
  };
  attacks["userfaultfd"] = [](const std::string&) {
    return error_of(::syscall(SYS_userfaultfd, 1));  // UFFD_USER_MODE_ONLY: for everybody
  };
  attacks["bpf"] = [](const std::string&) { return error_of(::syscall(SYS_bpf, 0, nullptr, 0U)); };
  attacks["perf-event"] = [](const std::string&) {
    return error_of(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0UL));
  };
  attacks["keyctl"] = [](const std::string&) {
    return error_of(::syscall(SYS_keyctl, 0, -3, 1));  // the id of the session's keyring
  };
  attacks["mount"] = [](const std::string& path) {
    return error_of(::syscall(SYS_mount, "none", path.c_str(), "tmpfs", 0UL, nullptr));
  };
  attacks["unshare"] = [](const std::string&) {
    return error_of(::syscall(SYS_unshare, 0x10000000));  // CLONE_NEWUSER
  };
  attacks["setns"] = [](const std::string&) { return error_of(::syscall(SYS_setns, 0, 0)); };
  attacks["prctl-dumpable"] = [](const std::string&) {
    return error_of(::syscall(SYS_prctl, 4, 1UL, 0UL, 0UL, 0UL));  // PR_SET_DUMPABLE
  };
  attacks["unknown-call"] = [](const std::string&) { return error_of(::syscall(4000)); };
#ifdef __x86_64__
  attacks["x32-call"] = [](const std::string&) {
    return error_of(::syscall(0x40000000L + SYS_getpid));
  };
  attacks["i386-call"] = [](const std::string&) {
    if (sigsetjmp(before_i386_call, 0) != 0) return ENOSYS;
    long result = 20;  // getpid() of i386
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return static_cast<int>(result) < 0 ? -static_cast<int>(result) : 0;
  };
#endif
}

void survive_missing_calls() {
  struct sigaction action {};
  action.sa_handler = leave_i386_call;
  action.sa_flags = SA_NODEFER;  // it is left by a jump
  ::sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace imgpress::hostile
