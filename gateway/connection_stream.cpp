#include "connection_stream.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace imgpress::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kInputBytes = 64 * 1024;
constexpr std::size_t kOutputBytes = 16 * 1024;  // small answers are sent in one piece
constexpr auto kStallTime = seconds(30);
constexpr std::uint64_t kSlowestPace = 32 * 1024;  // bytes a second, beyond the stall time

auto time_for(std::uint64_t bytes) {
  return kStallTime + seconds(bytes / kSlowestPace);
}

template <typename Duration>
int as_milliseconds(Duration left) {
  const auto count = std::chrono::ceil<milliseconds>(left).count();
  return static_cast<int>(std::clamp<long>(count, 0, 3600 * 1000));
}

}  // namespace

ConnectionStream::ConnectionStream(int socket, std::string_view head, std::string_view input)
    : socket_(socket), head_(head), input_(input) {}

void ConnectionStream::begin_body(std::uint64_t length) {
  in_head_ = false;
  body_left_ = length;
  deadline_ = Clock::now() + time_for(length);
}

ssize_t ConnectionStream::read(char* data, std::size_t size) {
  std::string_view& source = in_head_ ? head_ : input_;
  const std::uint64_t allowed = in_head_ ? head_.size() : body_left_;
  if (allowed == 0) return -1;
  if (source.empty() && !fill()) return -1;
  size = std::min({size, static_cast<std::size_t>(allowed), source.size()});
  std::memcpy(data, source.data(), size);
  source.remove_prefix(size);
  if (!in_head_) body_left_ -= size;
  return static_cast<ssize_t>(size);
}

bool ConnectionStream::fill() {
  // The client may be waiting for "100 Continue".
  if (!flush()) return false;
  if (!buffer_) buffer_.reset(new char[kInputBytes]);
  for (;;) {
    const ssize_t got = ::recv(socket_, buffer_.get(), kInputBytes, MSG_DONTWAIT);
    if (got > 0) {
      input_ = {buffer_.get(), static_cast<std::size_t>(got)};
      return true;
    }
    if (got == 0) return false;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    if (!wait(POLLIN, std::min(deadline_, Clock::now() + kStallTime))) return false;
  }
}

bool ConnectionStream::wait(short events, Clock::time_point deadline) const {
  for (;;) {
    const auto left = deadline - Clock::now();
    if (left <= left.zero()) return false;
    pollfd waiting{socket_, events, 0};
    const int ready = ::poll(&waiting, 1, as_milliseconds(left));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

ssize_t ConnectionStream::write(const char* data, std::size_t size) {
  if (output_.size() + size <= kOutputBytes) {
    output_.append(data, size);
    return static_cast<ssize_t>(size);
  }
  const bool sent = send_all(output_.data(), output_.size(), true) && send_all(data, size, false);
  output_.clear();
  return sent ? static_cast<ssize_t>(size) : -1;
}

bool ConnectionStream::flush() {
  const bool sent = send_all(output_.data(), output_.size(), false);
  output_.clear();
  return sent;
}

bool ConnectionStream::send_all(const char* data, std::size_t size, bool more) {
  if (size == 0) return true;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  const auto deadline = Clock::now() + time_for(size);
  while (size > 0) {
    const ssize_t sent = ::send(socket_, data, size, flags);
    if (sent >= 0) {
      data += sent;
      size -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait(POLLOUT, deadline)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void ConnectionStream::reset_on_close() {
  const ::linger none{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

bool ConnectionStream::is_readable() const {
  return !input_.empty() || wait(POLLIN, Clock::now() + kStallTime);
}

bool ConnectionStream::is_writable() const {
  return wait(POLLOUT, Clock::now() + kStallTime);
}

// The library copies these into request headers, where a client can override them. Nothing here
// uses them, so they stay empty.
void ConnectionStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void ConnectionStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace imgpress::gateway
