// How many connections the fetcher makes to one origin at a time.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>

#include "support/gate.hpp"
#include "support/real_fetcher.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

using namespace std::chrono_literals;

TEST(FetcherPaceTest, BeginsWithFewConnections) {
  Gate gate;
  ScriptedOrigin unknown([&](const OriginRequest&) {
    gate.arrive_and_wait();
    return answer("200 OK", "image");
  });
  ScriptedOrigin other([](const OriginRequest&) { return answer("200 OK", "image"); });
  RealFetcher fetcher("127.0.0.0/8", {64});
  fetcher.request_many(unknown.url("/"), 50);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fetcher.get(other.url("/")).body, "image");
  EXPECT_LE(unknown.connections(), 6);
  gate.open();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(fetcher.receive().body, "image");
}

// Serves one connection at a time and one request on each, with a short backlog.
class SmallOrigin {
 public:
  SmallOrigin() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 5) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
      throw std::system_error(errno, std::generic_category(), "small origin");
    }
    port_ = ntohs(address.sin_port);
    server_ = std::thread([this] { serve(); });
  }
  ~SmallOrigin() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    server_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  void serve() {
    const std::string answer = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nimage";
    for (;;) {
      const UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) return;
      std::array<char, 4096> request{};  // a GET of the fetcher comes in one piece
      if (::recv(fd.get(), request.data(), request.size(), 0) <= 0) continue;
      std::this_thread::sleep_for(2ms);  // the time that an answer takes
      ::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  UniqueFd listener_;
  int port_ = 0;
  std::thread server_;
};

TEST(FetcherPaceTest, DoesNotOverloadASmallOrigin) {
  SmallOrigin origin;
  RealFetcher fetcher("127.0.0.0/8", {64});
  constexpr std::uint64_t kTransfers = 300;
  const auto begin = std::chrono::steady_clock::now();
  fetcher.request_many(origin.url(), kTransfers);
  for (std::uint64_t i = 0; i < kTransfers; ++i) {
    const Fetched got = fetcher.receive();
    EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  }
  // The answers take 0.6 s. An attempt to connect that is lost costs 1 s, one that is lost twice 3
  // s. With 64 attempts at once some would be lost until their time-out (4 s).
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3900ms);
}

}  // namespace
}  // namespace imgpress::test
