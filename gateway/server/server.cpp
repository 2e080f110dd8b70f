#include "server/server.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "server/connection_queue.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kThreads = 600;
constexpr std::size_t kMostWaiting = 64;
// Clients arrive in bursts: the library's own queue of five would make them wait for seconds.
constexpr int kBacklog = 1024;

// A connection holds a thread, also between two requests.
constexpr time_t kIdleSeconds = 5;
// Without any progress; slow progress is bounded by Pace.
constexpr time_t kReadSeconds = 10;
constexpr time_t kWriteSeconds = 10;
// At the end: how long no request may come until none is expected.
constexpr auto kQuiet = std::chrono::milliseconds(200);
constexpr std::size_t kMostRequests = 1'000'000;  // on one connection

void set_limits(httplib::Server& library) {
  library.new_task_queue = [] { return new ConnectionQueue(kThreads, kMostWaiting); };
  library.set_tcp_nodelay(true);  // head and body of an answer are two writes
  library.set_keep_alive_timeout(kIdleSeconds);
  library.set_keep_alive_max_count(kMostRequests);
  library.set_read_timeout(kReadSeconds);
  library.set_write_timeout(kWriteSeconds);
  // Bodies are counted as they arrive: the library would read one that is too large to its end.
  library.set_payload_max_length(std::numeric_limits<std::size_t>::max());
}

std::string spelled(const ListenAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

struct BoundAddress {
  std::string host;
  std::uint16_t port;
  bool is_loopback;
};

BoundAddress bound_address(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  ::getsockname(listener, generic, &size);
  ::getnameinfo(generic, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
  return {host, static_cast<std::uint16_t>(std::atoi(port)), is_loopback(*generic)};
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

Server::Server(const ListenAddress& address, bool allow_remote) {
  set_limits(library_);
  library_.set_socket_options([this](int socket) {
    listener_ = socket;
    const int yes = 1;
    // Not the library's SO_REUSEPORT: a second gateway on this port must fail instead of taking
    // every other client.
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  if (!library_.bind_to_port(address.host, address.port, AI_PASSIVE)) {
    throw std::runtime_error("cannot listen on " + spelled(address) + ": " + std::strerror(errno));
  }
  const BoundAddress bound = bound_address(listener_);
  // Looks at the address, not the name: /etc/hosts may define "localhost" as anything.
  if (!allow_remote && !bound.is_loopback) {
    throw std::runtime_error("refusing to listen on " + spelled(address) +
                             ": it can be reached from other machines; --allow-remote permits "
                             "that, for clients with a key (SELECT imgpress.create_key(...) makes "
                             "one), or for everybody together with --no-keys");
  }
  local_only_ = bound.is_loopback;
  url_ = "http://" + spelled({bound.host, bound.port});
  ::listen(listener_, kBacklog);
}

std::shared_ptr<void> Server::running_request() {
  const auto change = [](Server* server, int by) {
    const std::lock_guard lock(server->mutex_);
    server->running_ += by;
    if (server->draining_) server->changed_.notify_all();
  };
  change(this, 1);
  return {this, [change](Server* server) { change(server, -1); }};
}

bool Server::draining() {
  const std::lock_guard lock(mutex_);
  return draining_;
}

void Server::serve() {
  library_.listen_after_bind();
  if (!draining()) throw std::runtime_error("the listening socket is broken");
}

bool Server::drain(std::chrono::seconds grace) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  // Not the library's stop(), which cuts running answers short.
  ::shutdown(listener_, SHUT_RDWR);
  // Requests that were sent before may still be on their way to a thread.
  const auto deadline = std::chrono::steady_clock::now() + grace;
  do {
    if (!changed_.wait_until(lock, deadline, [this] { return running_ == 0; })) return false;
  } while (changed_.wait_for(lock, kQuiet, [this] { return running_ > 0; }));
  return true;
}

}  // namespace imgpress::gateway
