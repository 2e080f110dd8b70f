// What a press process of either role holds, what it may use, and when it ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "press/sandbox/landlock.hpp"
#include "support/real_press.hpp"

namespace imgpress::test {
namespace {

std::string proc_file(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The value behind "Name:" in /proc/<pid>/status.
std::string status_field(pid_t pid, const std::string& name) {
  std::istringstream lines(proc_file(pid, "status"));
  std::string word;
  while (lines >> word) {
    if (word == name + ":" && lines >> word) return word;
  }
  return "";
}

// Once the press has answered, its confinement is complete.
void wait_until_confined(RealPress& press, const std::string& role) {
  if (role == "codec") {
    compress(press, "no image");
  } else {
    wire::FetchRequest request;
    request.url = "no URL";
    press.socket().send(request);
    press.receive();
  }
}

std::string landlock_name() {
  return "landlock (ABI " + std::to_string(press::landlock_abi()) + ")";
}

class PressConfinement : public ::testing::TestWithParam<const char*> {
 protected:
  PressConfinement() : press_(GetParam()) { wait_until_confined(press_, GetParam()); }
  bool is_codec() const { return std::string(GetParam()) == "codec"; }
  rlimit limit(__rlimit_resource resource) const {
    rlimit value{};
    EXPECT_EQ(::prlimit(press_.pid(), resource, nullptr, &value), 0);
    return value;
  }
  RealPress press_;
};

TEST_P(PressConfinement, EndsWhenItsSocketCloses) {
  const int status = press_.end();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_P(PressConfinement, IgnoresSignalsToProcessGroups) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::kill(press_.pid(), signal);
  wait_until_confined(press_, GetParam());
  EXPECT_EQ(press_.end(), 0);
}

TEST_P(PressConfinement, AnUnexpectedMessageEndsIt) {
  press_.socket().send(wire::CompressReply{});
  EXPECT_THROW(press_.receive(), std::runtime_error);
  const int status = press_.end();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST_P(PressConfinement, ReportsReadyFirst) {
  EXPECT_EQ(press_.ready().version, IMGPRESS_VERSION);
  EXPECT_EQ(press_.ready().pid, static_cast<std::uint32_t>(press_.pid()));
  std::vector<std::string> layers = {"no_new_privs", "undumpable", landlock_name(), "seccomp"};
  if (is_codec()) layers.insert(layers.end(), {"no_processes", "memory_limit"});
  layers.emplace_back("file_size_limit");
#ifdef __SANITIZE_ADDRESS__
  layers.erase(std::remove(layers.begin(), layers.end(), "memory_limit"), layers.end());
#endif
  EXPECT_EQ(press_.ready().layers, layers);
}

TEST_P(PressConfinement, IsConfined) {
  EXPECT_EQ(status_field(press_.pid(), "NoNewPrivs"), "1");
  EXPECT_EQ(status_field(press_.pid(), "Seccomp"), "2");
  EXPECT_EQ(proc_file(press_.pid(), "oom_score_adj"), "1000\n");
  EXPECT_EQ(proc_file(press_.pid(), "environ"), "");
  EXPECT_EQ(limit(RLIMIT_CORE).rlim_max, 0u);
  EXPECT_EQ(limit(RLIMIT_FSIZE).rlim_max, rlim_t{1} << 30);
  EXPECT_LE(limit(RLIMIT_NOFILE).rlim_max, 8192u);
  if (!is_codec()) return;
  EXPECT_EQ(limit(RLIMIT_NPROC).rlim_max, 0u);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_EQ(limit(RLIMIT_AS).rlim_max, rlim_t{2} << 30);
#endif
  // Renewed for each image; the exact value depends on the CPU time used so far.
  const rlim_t cpu = limit(RLIMIT_CPU).rlim_cur;
  EXPECT_GE(cpu, 10u);
  EXPECT_LE(cpu, 12u);
}

TEST_P(PressConfinement, InheritsNoDescriptors) {
  const std::string folder = "/proc/" + std::to_string(press_.pid());
  std::array<char, 256> target{};
  if (::readlink((folder + "/cwd").c_str(), target.data(), target.size() - 1) < 0) {
    GTEST_SKIP() << "only root may look into it";
  }
  EXPECT_STREQ(target.data(), "/");
  for (const char* fd : {"0", "1"}) {
    target.fill('\0');
    ASSERT_GT(::readlink((folder + "/fd/" + fd).c_str(), target.data(), target.size() - 1), 0);
    EXPECT_STREQ(target.data(), "/dev/null");
  }
  for (int fd = 4; fd < 64; ++fd) {
    target.fill('\0');
    const auto length = ::readlink((folder + "/fd/" + std::to_string(fd)).c_str(), target.data(),
                                   target.size() - 1);
    if (length < 0) continue;
    // The fetcher itself opens an epoll set and libcurl's wake-up channels, but no files.
    EXPECT_FALSE(is_codec()) << target.data();
    EXPECT_NE(target[0], '/') << target.data();
  }
}

INSTANTIATE_TEST_SUITE_P(Roles, PressConfinement, ::testing::Values("fetcher", "codec"),
                         [](const auto& tested) { return std::string(tested.param); });

// Starts a press and hands its socket to the test: the press must end when its parent dies,
// although the socket stays open. Never returns.
[[noreturn]] void run_parent(PacketSocket control) {
  auto [ours, theirs] = PacketSocket::make_pair();
  wire::CompressRequest press_pid;
  press_pid.id = static_cast<std::uint64_t>(spawn_press({"codec"}, theirs.fd()));
  control.send(press_pid, ours.fd());
  Packet never;
  control.receive(never);
  ::_exit(1);
}

TEST(Confinement, DiesWithItsParent) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // orphans become children of this process
  auto [control, theirs] = PacketSocket::make_pair();
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) run_parent(std::move(theirs));
  Packet packet;
  ASSERT_EQ(control.receive(packet), PacketSocket::Received::kPacket);
  const auto press = static_cast<pid_t>(std::get<wire::CompressRequest>(packet.message).id);
  PacketSocket socket(std::move(packet.attachment));
  ASSERT_EQ(socket.send(compress_request(1), sealed("no image").get()), PacketSocket::Sent::kYes);
  for (int message = 0; message < 3; ++message) {  // Ready, Confined, and the reply
    ASSERT_EQ(socket.receive(packet), PacketSocket::Received::kPacket);
  }
  ::kill(parent, SIGKILL);
  wait_for_exit(parent);
  const int status = wait_for_exit(press);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(Confinement, EndsWhenItsParentDiedBeforeItStarted) {
  // The socket was made by another process than the press's parent, as if that had died meanwhile.
  auto [control, theirs] = PacketSocket::make_pair();
  const pid_t maker = ::fork();
  ASSERT_GE(maker, 0);
  if (maker == 0) {
    auto pair = PacketSocket::make_pair();
    theirs.send(wire::CompressRequest{}, pair.first.fd());
    ::_exit(0);
  }
  Packet packet;
  ASSERT_EQ(control.receive(packet), PacketSocket::Received::kPacket);
  wait_for_exit(maker);
  const auto [status, text] = run_press({"codec"}, packet.attachment.get());
  EXPECT_EQ(status, 1);
  EXPECT_NE(text.find("parent"), std::string::npos) << text;
}

}  // namespace
}  // namespace imgpress::test
