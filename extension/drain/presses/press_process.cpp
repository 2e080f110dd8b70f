#include "drain/presses/press_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace imgpress {
namespace {

constexpr int kPressSocketFd = 3;  // a press expects its socket here

// The descriptors of the child: /dev/null twice, our stderr (the server log) and its socket.
class FileActions {
 public:
  explicit FileActions(int socket_fd) {
    check(::posix_spawn_file_actions_init(&actions_));
    check(::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0));
    check(::posix_spawn_file_actions_addopen(&actions_, 1, "/dev/null", O_WRONLY, 0));
    check(::posix_spawn_file_actions_adddup2(&actions_, socket_fd, kPressSocketFd));
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, kPressSocketFd + 1));
    check(::posix_spawn_file_actions_addchdir_np(&actions_, "/"));
  }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void check(int error) {
    if (error != 0) throw std::system_error(error, std::generic_category(), "posix_spawn");
  }
  posix_spawn_file_actions_t actions_{};
};

// Default signal handlers, and no signal blocked. The press stays in PostgreSQL's process group, so
// that an immediate shutdown ends it, too.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

PressProcess::PressProcess(PressProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}

PressProcess& PressProcess::operator=(PressProcess&& other) noexcept {
  if (this != &other) {
    stop();
    pid_ = std::exchange(other.pid_, -1);
    socket_ = std::move(other.socket_);
  }
  return *this;
}

PressProcess PressProcess::start(const std::string& path, std::vector<std::string> arguments) {
  std::pair<PacketSocket, PacketSocket> ends = PacketSocket::make_pair();  // ours, theirs
  ends.first.set_nonblocking();
  std::string name = "imgpress-press";
  std::vector<char*> argv{name.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* environment[] = {nullptr};

  const FileActions actions(ends.second.fd());
  const SpawnAttributes attributes;
  PressProcess press;
  const int error = ::posix_spawn(&press.pid_, path.c_str(), actions.get(), attributes.get(),
                                  argv.data(), environment);
  if (error != 0) {
    press.pid_ = -1;
    throw std::system_error(error, std::generic_category(),
                            "cannot start \"" + path + "\" (setting imgpress.press_path)");
  }
  press.socket_ = std::move(ends.first);
  return press;
}

bool PressProcess::is_stopped() const {
  siginfo_t info{};
  // WNOWAIT: the kernel tells it again as long as it is true. Without WEXITED a press that has
  // ended stays to be reaped.
  return pid_ > 0 &&
         ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

bool PressProcess::stop() {
  if (pid_ <= 0) return false;
  socket_ = PacketSocket();
  int status = 0;
  // A press that has ended already is a zombie: the signal does nothing, and its status is kept.
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU;
}

}  // namespace imgpress
