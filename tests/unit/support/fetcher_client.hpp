// A fetcher process with the few lines around it that every fetcher test needs.
#pragma once

#include <string>
#include <vector>

#include "channel/sealed_memory.hpp"
#include "support/real_press.hpp"

namespace imgpress::test {

struct Fetched {
  wire::FetchReply reply;
  bool has_body = false;
  std::string body;
};

class FetcherClient {
 public:
  explicit FetcherClient(const std::string& allowed_networks = "127.0.0.0/8",
                         const HostLimits& host_limits = {})
      : press_("fetcher") {
    apply(allowed_networks, host_limits);
  }

  RealPress& press() { return press_; }

  void apply(const std::string& allowed_networks, const HostLimits& host_limits = {}) {
    wire::FetcherSettings settings;
    settings.allowed_networks = allowed_networks;
    settings.host_limits = host_limits;
    settings.user_agent = "imgpress-test/1";
    press_.socket().send(settings);
  }

  static wire::FetchRequest get_request(const std::string& url, std::uint64_t id = 1) {
    wire::FetchRequest request;
    request.id = id;
    request.url = url;
    request.max_bytes = 1'000'000;
    request.timeout_ms = 8'000;
    request.connect_timeout_ms = 4'000;
    return request;
  }

  Fetched receive() {
    const Packet packet = press_.receive();
    Fetched fetched;
    fetched.reply = std::get<wire::FetchReply>(packet.message);
    if (packet.attachment) {
      const SealedView view(packet.attachment.get());
      fetched.has_body = true;
      fetched.body.assign(reinterpret_cast<const char*>(view.bytes().data), view.bytes().size);
    }
    return fetched;
  }

  Fetched fetch(const wire::FetchRequest& request) {
    press_.socket().send(request);
    return receive();
  }
  Fetched get(const std::string& url) { return fetch(get_request(url)); }

 private:
  RealPress press_;
};

}  // namespace imgpress::test
