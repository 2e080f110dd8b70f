#include "channel/own_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include "channel/unique_fd.hpp"

namespace imgpress {
namespace {

// The discard port: nothing is ever sent to it, but connect() wants one.
constexpr std::uint16_t kAnyPort = 9;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress made;
  if (address.is_v6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
    made.size = sizeof v6;
    std::memcpy(&made.storage, &v6, sizeof v6);
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
    made.size = sizeof v4;
    std::memcpy(&made.storage, &v4, sizeof v4);
  }
  return made;
}

// An address for documentation: no machine has it.
IpAddress nobodys_address(bool is_v6) {
  return *IpAddress::parse(is_v6 ? "2001:db8::1" : "192.0.2.1");
}

UniqueFd datagram_socket(const IpAddress& address) {
  UniqueFd fd(::socket(address.is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd && errno != EAFNOSUPPORT) fail("socket");
  return fd;
}

// A socket can be bound to an address of its machine only, unless ip_nonlocal_bind is set.
bool can_bind(const IpAddress& address) {
  const UniqueFd fd = datagram_socket(address);
  if (!fd) return false;  // this machine has no IPv6
  SocketAddress wanted = socket_address(address, 0);
  if (::bind(fd.get(), wanted.get(), wanted.size) == 0) return true;
  if (errno != EADDRNOTAVAIL) fail("bind");
  return false;
}

// Towards an address of its own a machine uses that address itself as the source.
bool is_its_own_source(const IpAddress& address) {
  const UniqueFd fd = datagram_socket(address);
  if (!fd) return false;
  SocketAddress target = socket_address(address, kAnyPort);
  if (::connect(fd.get(), target.get(), target.size) != 0) return false;  // there is no route
  SocketAddress source;
  if (::getsockname(fd.get(), source.get(), &source.size) != 0) fail("getsockname");
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  std::memcpy(&v4, &source.storage, sizeof v4);
  std::memcpy(&v6, &source.storage, sizeof v6);
  const void* bytes = address.is_v6 ? static_cast<const void*>(&v6.sin6_addr) : &v4.sin_addr;
  return std::memcmp(bytes, address.bytes.data(), address.is_v6 ? 16 : 4) == 0;
}

}  // namespace

bool is_own_address(const IpAddress& address) {
  if (!can_bind(address)) return false;
  return !can_bind(nobodys_address(address.is_v6)) || is_its_own_source(address);
}

}  // namespace imgpress
