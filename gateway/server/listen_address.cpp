#include "server/listen_address.hpp"

#include <netdb.h>
#include <netinet/in.h>

#include <memory>
#include <stdexcept>

namespace imgpress::gateway {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

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

struct Digits {
  std::string host;
  std::string port;
};

Digits in_digits(const sockaddr& address, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (::getnameinfo(&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    throw std::runtime_error("cannot write an address in digits");
  }
  return {host, port};
}

std::string bracketed(const std::string& host) {
  return host.find(':') != std::string::npos ? "[" + host + "]" : host;
}

}  // namespace

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (address.sa_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

std::string spelled(const ListenAddress& address) {
  return bracketed(address.host) + ":" + std::to_string(address.port);
}

std::vector<std::string> numeric_hosts(const ListenAddress& address, bool allow_remote) {
  std::vector<std::string> hosts;
  const AddressList candidates = resolve(address);
  for (const addrinfo* it = candidates.get(); it != nullptr; it = it->ai_next) {
    // Checks the addresses, not the name: /etc/hosts may define "localhost" as anything.
    if (!allow_remote && !is_loopback(*it->ai_addr)) {
      throw std::runtime_error("refusing to listen on " + spelled(address) +
                               ": it can be reached from other machines and the gateway does not "
                               "authenticate; use --allow-remote if that is what you want");
    }
    hosts.push_back(in_digits(*it->ai_addr, it->ai_addrlen).host);
  }
  return hosts;
}

std::string url_of(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(listener, generic, &size) != 0) {
    throw std::runtime_error("cannot tell the address of the listening socket");
  }
  const auto [host, port] = in_digits(*generic, size);
  return "http://" + bracketed(host) + ":" + port;
}

}  // namespace imgpress::gateway
