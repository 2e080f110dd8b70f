// TLS connections are refused unless the certificate is valid.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

extern char** environ;

namespace imgpress::test {
namespace {

using Then = OriginAnswer::Then;

std::string secure_url(const ScriptedOrigin& origin) {
  return "https://127.0.0.1:" + std::to_string(origin.port()) + "/a.jpg";
}

// `openssl ARGUMENTS`; stdout goes to `stdout_fd`, stdin and stderr to /dev/null.
pid_t spawn_openssl(std::vector<std::string> arguments, int stdout_fd) {
  std::vector<char*> argv{const_cast<char*>("openssl")};
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, stdout_fd, 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, "openssl", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

// An HTTPS server with a self-signed certificate.
class SelfSignedServer {
 public:
  SelfSignedServer() {
    std::string name = (std::string(::testing::TempDir()) + "imgpress-tls-XXXXXX");
    if (::mkdtemp(name.data()) == nullptr) return;
    folder_ = name;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
    const UniqueFd output(ends[0]);
    UniqueFd input(ends[1]);
    const std::string key = folder_ + "/key.pem";
    const std::string certificate = folder_ + "/certificate.pem";
    const pid_t maker = spawn_openssl(
        {"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate},
        input.get());
    if (maker < 0 || wait_for_exit(maker) != 0) return;
    pid_ = spawn_openssl(
        {"s_server", "-accept", "127.0.0.1:0", "-www", "-key", key, "-cert", certificate},
        input.get());
    input.reset();
    read_port(output.get());
  }
  ~SelfSignedServer() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    for (const char* file : {"/key.pem", "/certificate.pem"}) ::unlink((folder_ + file).c_str());
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }
  std::string port() const { return port_; }

 private:
  // From its line "ACCEPT 127.0.0.1:12345".
  void read_port(int fd) {
    std::string text;
    char c = 0;
    while (::read(fd, &c, 1) == 1) {
      text += c;
      const auto line = text.find("ACCEPT ");
      if (c == '\n' && line != std::string::npos) {
        port_ = text.substr(text.rfind(':') + 1, text.size() - text.rfind(':') - 2);
        return;
      }
    }
  }

  std::string folder_;
  pid_t pid_ = -1;
  std::string port_;
};

TEST(FetcherTlsTest, ASelfSignedCertificateIsRefused) {
  SelfSignedServer server;
  if (server.port().empty()) GTEST_SKIP() << "openssl, which the server needs, is not installed";
  RealFetcher fetcher;
  const Fetched got = fetcher.get("https://127.0.0.1:" + server.port() + "/");
  EXPECT_EQ(got.reply.fault, Fault::kTls) << got.reply.message;
  EXPECT_EQ(got.reply.http_status, 0u);
  EXPECT_TRUE(contains(got.reply.message, "127.0.0.1")) << got.reply.message;
  EXPECT_TRUE(contains(got.reply.message, "certificate")) << got.reply.message;
}

TEST(FetcherTlsTest, AServerWithoutTls) {
  ScriptedOrigin origin(OriginAnswer{"HTTP/1.1 400 Bad Request\r\n\r\n", Then::kHang});
  RealFetcher fetcher;
  const Fetched got = fetcher.get(secure_url(origin));
  EXPECT_EQ(got.reply.fault, Fault::kTls) << got.reply.message;
}

TEST(FetcherTlsTest, AHandshakeThatIsBrokenOffIsWorthAnotherAttempt) {
  ScriptedOrigin origin(OriginAnswer{"", Then::kClose});
  RealFetcher fetcher;
  const Fetched got = fetcher.get(secure_url(origin));
  EXPECT_EQ(got.reply.fault, Fault::kConnection) << got.reply.message;
}

TEST(FetcherTlsTest, AHandshakeThatHangsTimesOut) {
  ScriptedOrigin origin(OriginAnswer{"", Then::kHang});
  RealFetcher fetcher;
  auto request = RealFetcher::get_request(secure_url(origin));
  request.connect_timeout_ms = 200;
  const Fetched got = fetcher.fetch(request);
  EXPECT_EQ(got.reply.fault, Fault::kTimeout) << got.reply.message;
  EXPECT_TRUE(contains(got.reply.message, "200 ms")) << got.reply.message;
}

}  // namespace
}  // namespace imgpress::test
