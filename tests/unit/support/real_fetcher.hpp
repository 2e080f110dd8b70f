// A real fetcher process, with the settings and requests that its tests have in common.
#pragma once

#include <string>
#include <vector>

#include "channel/sealed_memory.hpp"
#include "support/real_press.hpp"

namespace imgpress::test {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Fetched {
  wire::FetchReply reply;
  bool has_body = false;
  std::string body;
};

class RealFetcher {
 public:
  explicit RealFetcher(const std::string& allowed_networks = "127.0.0.0/8",
                       const HostLimits& host_limits = {})
      : press_("fetcher", {"--any-port"}) {
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

  static wire::FetchRequest post_request(const std::string& url) {
    wire::FetchRequest request = get_request(url);
    request.method = wire::Method::kPost;
    return request;
  }

  Fetched receive() {
    Packet packet = press_.receive();
    while (!std::holds_alternative<wire::FetchReply>(packet.message)) packet = press_.receive();
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

  // Sends requests 1 to `count` without waiting for an answer.
  void request_many(const std::string& url, std::uint64_t count) {
    for (std::uint64_t id = 1; id <= count; ++id) press_.socket().send(get_request(url, id));
  }

 private:
  RealPress press_;
};

}  // namespace imgpress::test
