#include "socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace imgpress::gateway {
namespace {

// Clients arrive in bursts: with a short queue the kernel drops their SYN, and they wait a second.
constexpr int kBacklog = 1024;

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

std::string spelled(const ListenAddress& address) {
  const bool bracketed = address.host.find(':') != std::string::npos;
  return (bracketed ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

AddressList resolve(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  const int error = ::getaddrinfo(host, std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error("cannot listen on " + spelled(address) + ": " + ::gai_strerror(error));
  }
  return AddressList(found, &::freeaddrinfo);
}

Socket listen_on(const addrinfo& candidate) {
  Socket socket(::socket(candidate.ai_family, candidate.ai_socktype | SOCK_CLOEXEC, 0));
  if (!socket) return Socket();
  const int yes = 1;
  // Not SO_REUSEPORT: a second gateway on this port must fail instead of taking every other client.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), candidate.ai_addr, candidate.ai_addrlen) != 0) return Socket();
  if (::listen(socket.get(), kBacklog) != 0) return Socket();
  return socket;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

bool has_room(const Socket& socket) {
  pollfd writable{socket.get(), POLLOUT, 0};
  return ::poll(&writable, 1, 0) > 0;
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (address.sa_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

Socket open_listener(const ListenAddress& address, bool allow_remote) {
  const AddressList candidates = resolve(address);
  // Checks the addresses, not the name: /etc/hosts may define "localhost" as anything.
  for (const addrinfo* it = candidates.get(); it != nullptr && !allow_remote; it = it->ai_next) {
    if (is_loopback(*it->ai_addr)) continue;
    throw std::runtime_error("refusing to listen on " + spelled(address) +
                             ": it can be reached from other machines and the gateway does not "
                             "authenticate; use --allow-remote if that is what you want");
  }
  int reason = 0;
  for (const addrinfo* it = candidates.get(); it != nullptr; it = it->ai_next) {
    Socket socket = listen_on(*it);
    if (socket) return socket;
    reason = errno;
  }
  throw std::runtime_error("cannot listen on " + spelled(address) + ": " + std::strerror(reason));
}

std::string url_of(const Socket& listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(listener.get(), generic, &size) != 0 ||
      ::getnameinfo(generic, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    throw std::runtime_error("cannot tell the address of the listening socket");
  }
  const std::string name = address.ss_family == AF_INET6 ? "[" + std::string(host) + "]" : host;
  return "http://" + name + ":" + port;
}

}  // namespace imgpress::gateway
