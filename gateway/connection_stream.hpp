// The bytes of one client connection, with the limits that the HTTP library does not have:
// a head has a largest size and a time, a body a total time and an exact end, an answer a slowest
// pace. Reads and writes are buffered, so that a small request costs one recv and one send.
#pragma once

#include <httplib.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace imgpress::gateway {

class ConnectionStream : public httplib::Stream {
 public:
  // The socket stays the caller's. stop_fd becomes readable when the server ends.
  ConnectionStream(int socket, int stop_fd);

  // Waits for the first byte of the next request. False where none will come: the client left or
  // stayed idle too long, the server ends, or give_way() wants the thread for somebody else.
  bool await_request(const std::function<bool()>& give_way);

  // From here on reads take the head of a request, and after begin_body() that many bytes of body.
  void begin_head();
  void begin_body(std::uint64_t length);
  std::uint64_t body_left() const { return body_left_; }

  // Sends what was written. False if the client did not take it.
  bool flush();

  // Tells the client that no more comes, and takes what it still sends for a while: closing at once
  // would make the kernel reset the connection, and the client lose the answer.
  void linger();

  // Makes the close of the socket a reset, so that nobody takes a broken-off answer for a whole
  // one.
  void reset_on_close();

  // httplib::Stream
  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, std::size_t size) override;
  ssize_t write(const char* data, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  int socket() const override { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool fill();
  bool wait(short events, Clock::time_point deadline) const;
  bool send_all(const char* data, std::size_t size, bool more);

  const int socket_;
  const int stop_fd_;
  const std::unique_ptr<char[]> input_;
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  std::string output_;
  bool in_head_ = true;
  std::size_t head_left_ = 0;
  std::uint64_t body_left_ = 0;
  Clock::time_point deadline_;  // of the head or the body
};

}  // namespace imgpress::gateway
