// An HTTP server for benchmarks that takes next to no CPU time, so that they measure imgpress and
// not the server. Serves the files of a folder from memory: HTTP/1.1 with keep-alive, one thread.
//
//   imgpress-bench-origin FOLDER [DELAY_MS]     prints its port, serves until its stdin closes
//
// Each response is delayed by DELAY_MS. The query string is ignored, so a file has many URLs. Each
// has an ETag, and a request with that one is answered with 304.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <queue>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  std::string received;
  std::string_view unsent;
  unsigned long serial = 0;  // distinguishes connections that had the same descriptor
};

struct Due {
  Clock::time_point at;
  int fd;
  unsigned long serial;
  std::string_view response;
  bool operator>(const Due& other) const { return at > other.at; }
};

struct File {
  std::string etag;
  std::string whole;  // the response
  std::string not_modified;
};

std::unordered_map<std::string, File> read_folder(const char* folder) {
  std::unordered_map<std::string, File> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string body((std::istreambuf_iterator<char>(file)), {});
    const std::string etag = '"' + std::to_string(std::hash<std::string>()(body)) + '"';
    std::string whole = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nETag: ";
    whole.append(etag).append("\r\nContent-Length: ").append(std::to_string(body.size()));
    whole.append("\r\n\r\n").append(body);
    std::string not_modified = "HTTP/1.1 304 Not Modified\r\nETag: ";
    not_modified.append(etag).append("\r\n\r\n");
    files["/" + entry.path().filename().string()] = {etag, std::move(whole),
                                                     std::move(not_modified)};
  }
  return files;
}

class Origin {
 public:
  Origin(const char* folder, int delay_ms) : files_(read_folder(folder)), delay_(delay_ms) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* where = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, where, size) != 0 || ::listen(listener_, 512) != 0 ||
        ::getsockname(listener_, where, &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
    watch(STDIN_FILENO, EPOLLIN, EPOLL_CTL_ADD);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  void serve() {
    std::vector<epoll_event> events(256);
    for (;;) {
      const int count =
          ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), timeout_ms());
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == STDIN_FILENO) return;
        if (fd == listener_) {
          accept_all();
        } else {
          handle(fd, events[static_cast<std::size_t>(i)].events);
        }
      }
      send_due_responses();
    }
  }

 private:
  void watch(int fd, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(poll_, operation, fd, &event);
  }

  int timeout_ms() const {
    if (due_.empty()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(due_.top().at - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left);
  }

  void accept_all() {
    for (int fd = 0; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      connections_[fd] = {{}, {}, ++serial_};
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void close_connection(int fd) {
    connections_.erase(fd);
    ::close(fd);
  }

  void handle(int fd, std::uint32_t events) {
    Connection& connection = connections_.at(fd);
    if ((events & EPOLLOUT) != 0) return send(fd, connection);
    char buffer[16384];
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got <= 0) return close_connection(fd);
    connection.received.append(buffer, static_cast<std::size_t>(got));
    const std::size_t end = connection.received.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::size_t path = connection.received.find(' ') + 1;
    const std::string name =
        connection.received.substr(path, connection.received.find_first_of(" ?", path) - path);
    const std::string_view response =
        response_to(name, std::string_view(connection.received).substr(0, end));
    connection.received.erase(0, end + 4);
    due_.push({Clock::now() + delay_, fd, connection.serial, response});
  }

  std::string_view response_to(const std::string& name, std::string_view head) const {
    const auto found = files_.find(name);
    if (found == files_.end()) return kMissing;
    const File& file = found->second;
    const bool is_known = head.find("If-None-Match: " + file.etag) != std::string_view::npos;
    return is_known ? file.not_modified : file.whole;
  }

  void send_due_responses() {
    while (!due_.empty() && due_.top().at <= Clock::now()) {
      const Due due = due_.top();
      due_.pop();
      const auto found = connections_.find(due.fd);
      if (found == connections_.end() || found->second.serial != due.serial) continue;
      found->second.unsent = due.response;
      send(due.fd, found->second);
    }
  }

  void send(int fd, Connection& connection) {
    const ssize_t sent =
        ::send(fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close_connection(fd);
    if (sent > 0) connection.unsent.remove_prefix(static_cast<std::size_t>(sent));
    watch(fd, connection.unsent.empty() ? EPOLLIN : EPOLLOUT, EPOLL_CTL_MOD);
  }

  static constexpr std::string_view kMissing =
      "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

  std::unordered_map<std::string, File> files_;
  std::chrono::milliseconds delay_;
  int poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  int listener_ = -1;
  unsigned long serial_ = 0;
  std::unordered_map<int, Connection> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: imgpress-bench-origin FOLDER [DELAY_MS]\n");
    return 2;
  }
  try {
    Origin(arguments[1], count > 2 ? std::atoi(arguments[2]) : 0).serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
