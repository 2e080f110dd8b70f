// Listening and accepted sockets.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <utility>

namespace imgpress::gateway {

// Owns a socket or another file descriptor and closes it.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// True if a few bytes can be sent without waiting for the peer.
bool has_room(const Socket& socket);

// Where to listen. An empty host means every interface.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

// True for 127.0.0.0/8, ::1 and the IPv4 loopback mapped into IPv6.
bool is_loopback(const sockaddr& address);

// Binds and listens. Throws std::runtime_error with a sentence for the user, also if the address is
// not a loopback address and allow_remote is false.
Socket open_listener(const ListenAddress& address, bool allow_remote);

// "http://127.0.0.1:8080", with the actual port.
std::string url_of(const Socket& listener);

}  // namespace imgpress::gateway
