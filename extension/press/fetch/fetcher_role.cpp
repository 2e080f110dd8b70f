#include "press/fetch/fetcher_role.hpp"

#include <curl/curl.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <deque>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include "press/fetch/fetch_engine.hpp"

namespace imgpress::press {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Without destructors, which would wait for the name lookups that are still running.
[[noreturn]] void end_process() {
  std::_Exit(0);
}

class FetcherLoop {
 public:
  explicit FetcherLoop(PacketSocket socket)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), socket_(std::move(socket)), engine_(epoll_.get()) {
    if (!epoll_) fail("epoll_create1");
    socket_.set_nonblocking();
    watch_socket(EPOLL_CTL_ADD, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 128> events{};
    for (;;) {
      engine_.run_due();
      send_replies();
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     engine_.wait_ms());
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)]);
    }
  }

 private:
  void on_event(const epoll_event& event) {
    if (event.data.fd != socket_.fd()) {
      engine_.on_socket(event.data.fd, event.events);
      return;
    }
    if ((event.events & (EPOLLHUP | EPOLLERR)) != 0) end_process();
    if ((event.events & EPOLLIN) != 0) receive_requests();
  }

  void receive_requests() {
    Packet packet;
    for (;;) {
      switch (socket_.receive(packet)) {
        case PacketSocket::Received::kWouldBlock:
          return;
        case PacketSocket::Received::kPeerGone:
          end_process();
        case PacketSocket::Received::kPacket:
          take(std::move(packet.message));
      }
    }
  }

  void take(wire::Message message) {
    if (auto* request = std::get_if<wire::FetchRequest>(&message)) {
      engine_.submit(std::move(*request));
    } else if (auto* settings = std::get_if<wire::FetcherSettings>(&message)) {
      engine_.apply(std::move(*settings));
    } else if (auto* rules = std::get_if<wire::HostRules>(&message)) {
      engine_.apply(std::move(*rules));
    } else if (const auto* grant = std::get_if<wire::MemoryGrant>(&message)) {
      engine_.apply(*grant);
    } else {
      throw wire::WireError("unexpected message for a fetcher");
    }
  }

  // Never blocks. While the owner does not take replies, no further requests are read.
  void send_replies() {
    for (FinishedTransfer& result : engine_.take_finished()) replies_.push_back(std::move(result));
    bool blocked = false;
    while (!replies_.empty() && !blocked) {
      const FinishedTransfer& next = replies_.front();
      switch (socket_.send(next.reply, next.body.get())) {
        case PacketSocket::Sent::kYes:
          replies_.pop_front();
          break;
        case PacketSocket::Sent::kWouldBlock:
          blocked = true;
          break;
        case PacketSocket::Sent::kPeerGone:
          end_process();
      }
    }
    if (const auto use = engine_.take_memory_report()) unsent_use_ = use;
    if (unsent_use_ && !blocked) {
      blocked = socket_.send(*unsent_use_) == PacketSocket::Sent::kWouldBlock;
      if (!blocked) unsent_use_.reset();
    }
    if (auto states = engine_.take_host_report()) unsent_states_ = std::move(states);
    if (unsent_states_ && !blocked) {
      blocked = socket_.send(*unsent_states_) == PacketSocket::Sent::kWouldBlock;
      if (!blocked) unsent_states_.reset();
    }
    if (blocked != blocked_) watch_socket(EPOLL_CTL_MOD, blocked ? EPOLLOUT : EPOLLIN);
    blocked_ = blocked;
  }

  void watch_socket(int operation, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = socket_.fd();
    if (::epoll_ctl(epoll_.get(), operation, socket_.fd(), &event) != 0) fail("epoll_ctl");
  }

  UniqueFd epoll_;
  PacketSocket socket_;
  FetchEngine engine_;
  std::deque<FinishedTransfer> replies_;
  std::optional<wire::MemoryUse> unsent_use_;
  std::optional<wire::HostStates> unsent_states_;
  bool blocked_ = false;
};

}  // namespace

std::vector<std::string> prepare_fetcher() {
  // Host names in URLs are UTF-8. The environment is empty and does not set a locale.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::bad_alloc();
  // What the C library reads when it looks up a name.
  std::vector<std::string> files = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
                                    "/etc/host.conf", "/etc/gai.conf"};
  // Not read now: libcurl keeps parsed certificates between connections only if it reads the file.
  const char* certificates = curl_version_info(CURLVERSION_NOW)->cainfo;
  if (certificates != nullptr) files.emplace_back(certificates);
  return files;
}

void run_fetcher(PacketSocket socket) {
  FetcherLoop(std::move(socket)).run();
}

}  // namespace imgpress::press
