// The bytes of one request and its answer, buffered, with limits that the HTTP library lacks: a
// body must arrive in a total time and ends at its exact length; a client must read the answer at a
// minimum speed.
#pragma once

#include <httplib.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace imgpress::gateway {

class ConnectionStream : public httplib::Stream {
 public:
  // The caller keeps the socket. `head` is the head of the request, `input` the bytes received
  // after it.
  ConnectionStream(int socket, std::string_view head, std::string_view input);

  // The next `length` bytes are the body, and reads end there.
  void begin_body(std::uint64_t length);
  std::uint64_t body_left() const { return body_left_; }

  // Sends what was written. False if the client did not receive it.
  bool flush();

  // Received but not read: it belongs to the next request.
  std::string_view unread() const { return input_; }

  // Makes close() reset the connection, so that the client does not take an aborted answer for a
  // complete one.
  void reset_on_close();

  // httplib::Stream
  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, std::size_t size) override;
  ssize_t write(const char* data, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  // The library only checks that select() could take it; it is not used otherwise.
  int socket() const override { return 0; }

 private:
  using Clock = std::chrono::steady_clock;

  bool fill();
  bool wait(short events, Clock::time_point deadline) const;
  bool send_all(const char* data, std::size_t size, bool more);

  const int socket_;
  std::string_view head_;   // what is left of it
  std::string_view input_;  // what is left of what was received
  std::unique_ptr<char[]> buffer_;
  std::string output_;
  bool in_head_ = true;
  std::uint64_t body_left_ = 0;
  Clock::time_point deadline_;  // of the body
};

}  // namespace imgpress::gateway
