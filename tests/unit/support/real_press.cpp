#include "support/real_press.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "channel/sealed_memory.hpp"

namespace imgpress::test {
namespace {

constexpr int kPatienceMs = 10'000;

bool becomes_readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  int ready = 0;
  while ((ready = ::poll(&waiting, 1, kPatienceMs)) < 0 && errno == EINTR) {
  }
  return ready > 0;
}

}  // namespace

std::string press_path() {
  if (const char* path = std::getenv("IMGPRESS_PRESS")) return path;
#ifdef IMGPRESS_PRESS_PATH
  return IMGPRESS_PRESS_PATH;
#else
  throw std::runtime_error("set IMGPRESS_PRESS to the imgpress-press to test");
#endif
}

pid_t spawn_press(const std::vector<std::string>& arguments, int socket, int stdout_fd,
                  int stderr_fd) {
  const std::string path = press_path();
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char* no_environment = nullptr;

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (stdout_fd >= 0) ::posix_spawn_file_actions_adddup2(&actions, stdout_fd, 1);
  if (stderr_fd >= 0) ::posix_spawn_file_actions_adddup2(&actions, stderr_fd, 2);
  if (socket >= 0) ::posix_spawn_file_actions_adddup2(&actions, socket, 3);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, socket >= 0 ? 4 : 3);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), &no_environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), path);
  return pid;
}

int wait_for_exit(pid_t pid) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool ended = handle && becomes_readable(handle.get());
  if (!ended) ::kill(pid, SIGKILL);
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) {
    throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  if (!ended) throw std::runtime_error("the press does not end");
  return status;
}

std::pair<int, std::string> run_press(const std::vector<std::string>& arguments, int socket) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {-1, ""};
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  const int status = wait_for_exit(spawn_press(arguments, socket, input.get(), input.get()));
  input.reset();
  std::string text;
  std::array<char, 4096> chunk{};
  for (ssize_t n = 0; (n = ::read(output.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

UniqueFd sealed(const std::string& contents) {
  return make_sealed("test",
                     {reinterpret_cast<const std::uint8_t*>(contents.data()), contents.size()});
}

wire::CompressRequest compress_request(std::uint64_t id) {
  wire::CompressRequest request;
  request.id = id;
  request.max_pixels = 1'000'000;
  request.cpu_seconds = 10;
  return request;
}

RealPress::RealPress(const std::string& role, std::vector<std::string> options) {
  options.insert(options.begin(), role);
  auto [ours, theirs] = PacketSocket::make_pair();
  pid_ = spawn_press(options, theirs.fd());
  socket_ = std::move(ours);
  ready_ = std::get<wire::Ready>(receive().message);
  confined_ = std::get<wire::Confined>(receive().message);
}

RealPress::~RealPress() {
  try {
    if (pid_ > 0) end();
  } catch (const std::exception&) {  // it was killed: nothing is left behind
  }
}

Packet RealPress::receive() {
  if (!becomes_readable(socket_.fd())) throw std::runtime_error("the press does not answer");
  Packet packet;
  if (socket_.receive(packet) != PacketSocket::Received::kPacket) {
    throw std::runtime_error("the press has ended");
  }
  return packet;
}

int RealPress::end() {
  socket_ = PacketSocket();
  return wait_for_exit(std::exchange(pid_, -1));
}

wire::CompressReply compress(RealPress& press, const std::string& image, std::uint64_t id) {
  press.socket().send(compress_request(id), sealed(image).get());
  return std::get<wire::CompressReply>(press.receive().message);
}

}  // namespace imgpress::test
