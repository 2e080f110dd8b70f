// Where to listen.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace imgpress::gateway {

// An empty host means every interface.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

// True for 127.0.0.0/8, ::1 and the IPv4 loopback mapped into IPv6.
bool is_loopback(const sockaddr& address);

// The addresses of the host in digits. Throws std::runtime_error with a sentence for the user, also
// if one is not a loopback address and allow_remote is false.
std::vector<std::string> numeric_hosts(const ListenAddress& address, bool allow_remote);

// "127.0.0.1:8080", "[::1]:8080"
std::string spelled(const ListenAddress& address);

// "http://127.0.0.1:8080", with the port that the socket really has.
std::string url_of(int listener);

}  // namespace imgpress::gateway
