#include "press/fetch/address_guard.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstring>

namespace imgpress::press {
namespace {

struct Endpoint {
  std::optional<IpAddress> address;  // no value: neither IPv4 nor IPv6
  std::uint16_t port = 0;
};

Endpoint endpoint_of(const sockaddr& address) {
  Endpoint endpoint;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    endpoint.address.emplace();
    std::memcpy(endpoint.address->bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
    endpoint.port = ntohs(v4.sin_port);
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    endpoint.address.emplace().is_v6 = true;
    std::memcpy(endpoint.address->bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
    endpoint.port = ntohs(v6.sin6_port);
  }
  return endpoint;
}

}  // namespace

bool is_acknowledged(curl_socket_t fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  constexpr std::size_t kNeeded =
      offsetof(tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked);
  return size < kNeeded || info.tcpi_bytes_acked > 1;  // the handshake counts as one byte
}

void AddressGuard::install(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &AddressGuard::open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &AddressGuard::before_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
}

void AddressGuard::note_connected() {
  connected_ = true;
  if (opened_at_ && !past_first_request_) {
    connect_time_ = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - *opened_at_);
  }
  past_first_request_ = true;
}

bool AddressGuard::permits(const std::optional<IpAddress>& address, std::uint16_t port) {
  const auto objection = address ? policy_->objection(*address, port)
                                 : std::optional<std::string>("is not an internet address");
  if (!objection) {
    permitted_any_ = true;
    return true;
  }
  denial_ = (address ? address->to_string() : "its address") + " " + *objection;
  return false;
}

curl_socket_t AddressGuard::open_socket(void* self, curlsocktype /*purpose*/,
                                        curl_sockaddr* target) {
  try {
    const Endpoint endpoint = endpoint_of(target->addr);
    auto& guard = *static_cast<AddressGuard*>(self);
    guard.connected_ = false;
    if (!guard.permits(endpoint.address, endpoint.port)) return CURL_SOCKET_BAD;
    if (!guard.opened_at_ && !guard.past_first_request_) {
      guard.opened_at_ = std::chrono::steady_clock::now();
    }
    return ::socket(target->family, target->socktype | SOCK_CLOEXEC, target->protocol);
  } catch (...) {
    return CURL_SOCKET_BAD;
  }
}

// libcurl calls this before each request, also after a redirect and on a kept connection. The
// settings may have changed since that connection was opened, so its address is checked again.
int AddressGuard::before_request(void* self, char* remote_ip, char* /*local_ip*/, int remote_port,
                                 int /*local_port*/) {
  try {
    auto& guard = *static_cast<AddressGuard*>(self);
    guard.permitted_any_ = false;
    guard.denial_.reset();
    const auto address = IpAddress::parse(remote_ip);
    if (!guard.permits(address, static_cast<std::uint16_t>(remote_port))) {
      return CURL_PREREQFUNC_ABORT;
    }
    guard.permitted_any_ = false;  // the next connection belongs to another hop
    guard.note_connected();
    return CURL_PREREQFUNC_OK;
  } catch (...) {
    return CURL_PREREQFUNC_ABORT;
  }
}

}  // namespace imgpress::press
