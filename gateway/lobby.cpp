#include "lobby.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "log.hpp"
#include "request_head.hpp"

namespace imgpress::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostGuests = 1000;
constexpr std::size_t kInputBytes = 64 * 1024;
constexpr int kEventsAtOnce = 64;
// A client with a complete head is not watched until it is back in the lobby.
constexpr std::uint32_t kOnce = EPOLLIN | EPOLLONESHOT;
constexpr auto kSweepTime = milliseconds(500);
constexpr auto kHeadTime = seconds(10);
constexpr auto kLingerTime = seconds(10);
constexpr auto kLingerStall = seconds(2);
constexpr int kAcceptPause = 100;  // milliseconds, after running out of file descriptors

Socket checked(int fd, const char* what) {
  if (fd < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return Socket(fd);
}

}  // namespace

Lobby::Lobby(Ready ready)
    : ready_(std::move(ready)),
      epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      stop_event_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      buffer_(kInputBytes) {}

void Lobby::run(Socket listener) {
  // If the client has gone before accept(), that must not block until the next one.
  ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) | O_NONBLOCK);
  if (!watch(listener.get(), EPOLLIN) || !watch(stop_event_.get(), EPOLLIN)) {
    throw std::runtime_error(std::string("epoll_ctl: ") + std::strerror(errno));
  }
  epoll_event events[kEventsAtOnce];
  while (!stopping_) {
    const int count = ::epoll_wait(epoll_.get(), events, kEventsAtOnce, kSweepTime.count());
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener.get()) {
        accept_clients(fd);
      } else {
        attend(fd);
      }
    }
    expire();
  }
  const std::lock_guard lock(mutex_);
  closed_ = true;
  guests_.clear();
}

void Lobby::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  // Cannot fail: the counter of the eventfd is zero.
  [[maybe_unused]] const ssize_t written = ::write(stop_event_.get(), &one, sizeof one);
}

void Lobby::await_request(Client client) {
  if (head_is_complete(client.input)) return ready_(std::move(client));
  const auto time = client.input.empty() ? kIdleTime : kHeadTime;
  admit({std::move(client), Clock::now() + time, {}});
}

void Lobby::linger(Client client) {
  ::shutdown(client.socket.get(), SHUT_WR);
  const auto now = Clock::now();
  admit({std::move(client), now + kLingerStall, now + kLingerTime, true});
}

bool Lobby::watch(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  // Most clients have been here before: epoll forgets a socket only when it is closed.
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0 ||
         (errno == ENOENT && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Lobby::accept_clients(int listener) {
  for (int i = 0; i < kEventsAtOnce; ++i) {
    Socket socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (socket) {
      const int yes = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      admit({{std::move(socket), ""}, Clock::now() + kIdleTime, {}});
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The client stays in the queue: epoll_wait() would return at once, again and again.
      log_line(std::string("cannot accept a connection: ") + std::strerror(errno));
      std::unique_lock lock(mutex_);
      const bool has_room = evict();
      lock.unlock();
      if (!has_room) ::poll(nullptr, 0, kAcceptPause);
      return;
    } else {
      return;
    }
  }
}

void Lobby::admit(Guest guest) {
  const int fd = guest.client.socket.get();
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (guests_.size() >= kMostGuests) evict();
  if (watch(fd, kOnce)) guests_.emplace(fd, std::move(guest));
}

void Lobby::attend(int fd) {
  std::optional<Client> ready;
  {
    const std::lock_guard lock(mutex_);
    const auto found = guests_.find(fd);
    if (found == guests_.end()) return;  // the stop event, or a client just evicted
    Guest& guest = found->second;
    const std::size_t seen = guest.client.input.size();
    if (!receive(guest)) {
      guests_.erase(found);
    } else if (!guest.lingers && head_is_complete(guest.client.input, seen)) {
      ready.emplace(std::move(guest.client));
      guests_.erase(found);
    } else if (!watch(fd, kOnce)) {
      guests_.erase(found);
    }
  }
  if (ready) ready_(std::move(*ready));
}

// False if the client left.
bool Lobby::receive(Guest& guest) {
  const int fd = guest.client.socket.get();
  const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got == 0) return false;
  if (got < 0) return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
  const auto now = Clock::now();
  if (guest.lingers) {
    guest.deadline = std::min(guest.leaves, now + kLingerStall);
    return true;
  }
  if (guest.client.input.empty()) guest.deadline = now + kHeadTime;
  guest.client.input.append(buffer_.data(), static_cast<std::size_t>(got));
  return true;
}

// Closes the connection whose deadline is next, to free a descriptor. False if there is none.
bool Lobby::evict() {
  const auto first = std::min_element(
      guests_.begin(), guests_.end(),
      [](const auto& a, const auto& b) { return a.second.deadline < b.second.deadline; });
  if (first == guests_.end()) return false;
  guests_.erase(first);
  return true;
}

void Lobby::expire() {
  const auto now = Clock::now();
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepTime;
  const std::lock_guard lock(mutex_);
  for (auto it = guests_.begin(); it != guests_.end();) {
    it = it->second.deadline <= now ? guests_.erase(it) : std::next(it);
  }
}

}  // namespace imgpress::gateway
