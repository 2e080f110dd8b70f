// The address guard where it bites: at the socket address of every connection.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/net/address.hpp"

namespace imgpress::press {

// The addresses of this machine's network interfaces.
std::vector<IpAddress> own_addresses();

// Whether the other side has acknowledged anything sent to it. A crowded one drops the last step of
// a handshake, and only this side believes in the connection then.
bool is_let_in(curl_socket_t fd);

// What the guard decides for one transfer, hop by hop. libcurl is told about it by install().
class AddressGuard {
 public:
  // `policy` is asked anew for every connection and must outlive the guard.
  explicit AddressGuard(const AddressPolicy& policy) : policy_(&policy) {}

  // The guard has to stay where it is until the transfer ends.
  void install(CURL* easy);

  // Why the newest hop could not be connected: "10.0.0.1 is a private address". No value
  // when at least one of the host's addresses was permitted.
  std::optional<std::string> denial() const;

  // True when the newest connection got as far as a request.
  bool connected() const { return connected_; }

  // Of the first hop alone: whether it took a new connection, and how long that was in the making
  // (name lookup excluded, TLS handshake included; no value until it is made).
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
