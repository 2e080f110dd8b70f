// The address guard where it bites: at the socket address of every connection.
#pragma once

#include <curl/curl.h>

#include <optional>
#include <string>
#include <vector>

#include "core/address.hpp"

namespace imgpress::press {

// The addresses of this machine's network interfaces.
std::vector<IpAddress> own_addresses();

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

 private:
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* target);
  static int before_request(void* self, char* remote_ip, char* local_ip, int remote_port,
                            int local_port);
  bool permits(const std::optional<IpAddress>& address, std::uint16_t port);

  const AddressPolicy* policy_;
  bool permitted_any_ = false;
  bool connected_ = false;
  std::optional<std::string> denial_;
};

}  // namespace imgpress::press
