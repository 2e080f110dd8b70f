#include "support/scripted_origin.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

namespace imgpress::test {
namespace {

bool send_all(int fd, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

// Reads until `buffer` holds `size` bytes.
bool read_up_to(int fd, std::string& buffer, std::size_t size) {
  std::array<char, 16384> chunk{};
  while (buffer.size() < size) {
    const ssize_t n = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (n <= 0) return false;
    buffer.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return true;
}

std::size_t content_length(const std::string& headers) {
  const std::string name = "\r\nContent-Length: ";
  const auto found = ("\r\n" + headers).find(name);
  if (found == std::string::npos) return 0;
  return std::strtoul(headers.c_str() + found + name.size() - 2, nullptr, 10);
}

// No value when the client has closed the connection.
std::optional<OriginRequest> read_request(int fd, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!read_up_to(fd, buffer, buffer.size() + 1)) return std::nullopt;
  }
  OriginRequest request;
  const std::string head = buffer.substr(0, end + 2);
  const auto line_end = head.find("\r\n");
  const auto first_blank = head.find(' ');
  const auto second_blank = head.rfind(' ', line_end);
  request.method = head.substr(0, first_blank);
  request.target = head.substr(first_blank + 1, second_blank - first_blank - 1);
  request.headers = head.substr(line_end + 2);
  buffer.erase(0, end + 4);
  const std::size_t length = content_length(request.headers);
  if (!read_up_to(fd, buffer, length)) return std::nullopt;
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return request;
}

}  // namespace

OriginAnswer answer(const std::string& status, const std::string& body,
                    const std::string& more_headers) {
  return {"HTTP/1.1 " + status + "\r\n" + more_headers +
          "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

OriginAnswer redirect_to(const std::string& location) {
  return answer("302 Found", "", "Location: " + location + "\r\n");
}

ScriptedOrigin::ScriptedOrigin(Script script, std::string address)
    : address_(std::move(address)), script_(std::move(script)) {
  listen();
}

ScriptedOrigin::ScriptedOrigin(OriginAnswer greeting) : greeting_(std::move(greeting)) {
  listen();
}

void ScriptedOrigin::listen() {
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::inet_addr(address_.c_str());
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 512) != 0 ||
      ::getsockname(listener_.get(), generic, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "origin");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedOrigin::~ScriptedOrigin() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (Connection& connection : all_) ::shutdown(connection.fd.get(), SHUT_RDWR);
  for (Connection& connection : all_) connection.thread.join();
}

std::string ScriptedOrigin::url(const std::string& target) const {
  return "http://" + address_ + ":" + std::to_string(port_) + target;
}

void ScriptedOrigin::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    ++connections_;
    const int open = ++open_;
    most_at_once_ = std::max<int>(most_at_once_, open);
    Connection& connection = all_.emplace_back();
    connection.fd = std::move(fd);
    connection.thread = std::thread([this, raw = connection.fd.get()] {
      serve(raw);
      --open_;
      ::shutdown(raw, SHUT_RDWR);
    });
  }
}

void ScriptedOrigin::serve(int fd) {
  if (!script_) {
    perform(fd, greeting_);
    return;
  }
  std::string buffer;
  while (const auto request = read_request(fd, buffer)) {
    ++requests_;
    if (!perform(fd, script_(*request))) return;
  }
}

// False when the connection is over.
bool ScriptedOrigin::perform(int fd, const OriginAnswer& answer) {
  if (answer.thinking_time.count() > 0) std::this_thread::sleep_for(answer.thinking_time);
  if (!send_all(fd, answer.bytes)) return false;
  std::string ignored;
  switch (answer.then) {
    case OriginAnswer::Then::kKeepOpen:
      return true;
    case OriginAnswer::Then::kHang:
      read_up_to(fd, ignored, std::string::npos);  // until the client gives up
      return false;
    case OriginAnswer::Then::kRepeatBytes:
      while (send_all(fd, answer.repeated)) {
      }
      return false;
    case OriginAnswer::Then::kClose:
      break;
  }
  return false;
}

}  // namespace imgpress::test
