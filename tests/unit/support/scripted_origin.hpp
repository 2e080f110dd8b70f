// A small HTTP server on a loopback address that sends exactly the bytes that a test tells it to
// send.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include "channel/unique_fd.hpp"

namespace imgpress::test {

struct OriginRequest {
  std::string method;
  std::string target;   // "/a.jpg?w=3", as received
  std::string headers;  // the lines behind the first one
  std::string body;
};

struct OriginAnswer {
  enum class Then { kKeepOpen, kClose, kHang, kRepeatBytes };
  std::string bytes;  // status line, headers, body
  Then then = Then::kKeepOpen;
  std::string repeated{};  // for kRepeatBytes: sent until the client closes the connection
  std::chrono::milliseconds thinking_time{0};  // before the first byte
};

// "HTTP/1.1 <status>" with Content-Length; `more_headers` are whole lines with their CRLF.
OriginAnswer answer(const std::string& status, const std::string& body,
                    const std::string& more_headers = "");
OriginAnswer redirect_to(const std::string& location);

class ScriptedOrigin {
 public:
  using Script = std::function<OriginAnswer(const OriginRequest&)>;

  // `script` runs in a thread of each connection.
  explicit ScriptedOrigin(Script script, std::string address = "127.0.0.1");
  // Sends this as soon as a client connects, without reading a request.
  explicit ScriptedOrigin(OriginAnswer greeting);
  ScriptedOrigin(const ScriptedOrigin&) = delete;
  ScriptedOrigin& operator=(const ScriptedOrigin&) = delete;
  ~ScriptedOrigin();

  std::string url(const std::string& target) const;  // "http://<address>:<port><target>"
  int port() const { return port_; }
  int connections() const { return connections_; }
  int most_connections_at_once() const { return most_at_once_; }
  int requests() const { return requests_; }

 private:
  struct Connection {
    UniqueFd fd;
    std::thread thread;
  };

  void listen();
  void accept_all();
  void serve(int fd);
  bool perform(int fd, const OriginAnswer& answer);

  const std::string address_ = "127.0.0.1";
  Script script_;
  OriginAnswer greeting_;  // when there is no script
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<int> open_{0};
  std::atomic<int> most_at_once_{0};
  std::atomic<int> requests_{0};
  std::list<Connection> all_;
  std::thread acceptor_;
};

}  // namespace imgpress::test
