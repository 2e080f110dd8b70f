// Checks the address of every connection before it is made: allowed networks only.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <optional>
#include <string>

#include "core/net/address.hpp"

namespace imgpress::press {

// Whether the host has acknowledged any data on this connection. A congested host drops the last
// packet of the TCP handshake: the connection then exists on our side only.
bool is_acknowledged(curl_socket_t fd);

// The guard of one transfer. A transfer has several hops when it is redirected, and each hop may
// try several addresses of its host.
class AddressGuard {
 public:
  // `policy` is asked anew for every connection and must outlive the guard.
  explicit AddressGuard(const AddressPolicy& policy) : policy_(&policy) {}

  // Sets libcurl's callbacks. The guard must stay where it is until the transfer ends.
  void install(CURL* easy);

  // Why an address of the newest hop's host was not permitted, by the last of them: "10.0.0.1 is a
  // private address". No value if all were.
  const std::optional<std::string>& denial() const { return denial_; }
  // Whether another one was permitted.
  bool permitted_any() const { return permitted_any_; }

  // True when the newest connection got as far as a request.
  bool connected() const { return connected_; }

  // Of the first hop only: whether it opened a connection, and how long that took (without the name
  // lookup, with the TLS handshake; no value until it is done).
  bool opened() const { return opened_at_.has_value(); }
  std::optional<std::chrono::milliseconds> connect_time() const { return connect_time_; }

 private:
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* target);
  static int before_request(void* self, char* remote_ip, char* local_ip, int remote_port,
                            int local_port);
  void note_connected();
  bool permits(const std::optional<IpAddress>& address, std::uint16_t port);

  const AddressPolicy* policy_;
  bool permitted_any_ = false;
  bool connected_ = false;
  bool past_first_request_ = false;
  std::optional<std::chrono::steady_clock::time_point> opened_at_;
  std::optional<std::chrono::milliseconds> connect_time_;
  std::optional<std::string> denial_;
};

}  // namespace imgpress::press
