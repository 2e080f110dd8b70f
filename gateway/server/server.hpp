// cpp-httplib's server, set up for many clients.
#pragma once

#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "options.hpp"

namespace imgpress::gateway {

// True for 127.0.0.0/8, ::1 and the IPv4 loopback mapped into IPv6.
bool is_loopback(const sockaddr& address);

class Server {
 public:
  // Binds and listens. Throws std::runtime_error with a sentence for the user, also if other
  // machines could connect and allow_remote is false.
  Server(const ListenAddress& address, bool allow_remote);

  // Where handlers are installed.
  httplib::Server& library() { return library_; }
  const std::string& url() const { return url_; }
  // True if no other machine can connect.
  bool local_only() const { return local_only_; }

  // Serves until drain() is called. Throws std::runtime_error if the listener breaks.
  void serve();

  // To be held from the beginning of a handler until the answer has been sent.
  std::shared_ptr<void> running_request();
  bool draining();

  // Accepts no more connections, and waits until no request is running or comes. False if some
  // still are at the end of the grace time. The process should then end: connections between two
  // requests are not closed, and nothing else may be called.
  bool drain(std::chrono::seconds grace);

 private:
  httplib::Server library_;
  int listener_ = -1;  // owned by the library
  std::string url_;
  bool local_only_ = false;

  std::mutex mutex_;  // guards the two below
  int running_ = 0;
  bool draining_ = false;
  std::condition_variable changed_;
};

}  // namespace imgpress::gateway
