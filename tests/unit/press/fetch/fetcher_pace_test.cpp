// How many connections the fetcher asks of one origin at a time.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "support/fetcher_client.hpp"
#include "support/scripted_origin.hpp"

namespace imgpress::test {
namespace {

using namespace std::chrono_literals;

void send_many(FetcherClient& fetcher, const std::string& url, std::uint64_t count) {
  for (std::uint64_t id = 1; id <= count; ++id) {
    fetcher.press().socket().send(FetcherClient::get_request(url, id));
  }
}

// Answers nothing until it is opened.
class Gate {
 public:
  void pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    opened_.wait(lock, [this] { return is_open_; });
  }
  void open() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      is_open_ = true;
    }
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

TEST(FetcherPaceTest, BeginsWithFewConnections) {
  Gate gate;
  ScriptedOrigin unknown([&](const OriginRequest&) {
    gate.pass();
    return answer("200 OK", "image");
  });
  ScriptedOrigin other([](const OriginRequest&) { return answer("200 OK", "image"); });
  FetcherClient fetcher("127.0.0.0/8", {64});
  send_many(fetcher, unknown.url("/"), 50);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fetcher.get(other.url("/")).body, "image");
  EXPECT_LE(unknown.connections(), 6);
  gate.open();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(fetcher.receive().body, "image");
}

// One request for each connection, one connection after the other, a short line before the door.
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
      std::this_thread::sleep_for(2ms);  // its work
      ::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  UniqueFd listener_;
  int port_ = 0;
  std::thread server_;
};

TEST(FetcherPaceTest, LeavesASmallOriginItsTime) {
  SmallOrigin origin;
  FetcherClient fetcher("127.0.0.0/8", {64});
  constexpr std::uint64_t kTransfers = 300;
  const auto begin = std::chrono::steady_clock::now();
  send_many(fetcher, origin.url(), kTransfers);
  for (std::uint64_t i = 0; i < kTransfers; ++i) {
    const Fetched got = fetcher.receive();
    EXPECT_EQ(got.reply.fault, Fault::kNone) << got.reply.message;
  }
  // 0.6 s of work. Attempts that get lost cost 1 s, those lost twice 3 s; in a rush of 64 some are
  // lost until their time to connect (4 s) is over.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3900ms);
}

}  // namespace
}  // namespace imgpress::test
