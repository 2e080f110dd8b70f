#include "http_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "log.hpp"
#include "route.hpp"

namespace imgpress::gateway {
namespace {

constexpr int kForever = -1;
constexpr int kAcceptPause = 100;  // milliseconds, when no file descriptor is left
constexpr int kFairShare = 100;    // requests of one client while others wait for a thread

Socket make_event() {
  Socket event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) throw std::runtime_error(std::string("eventfd: ") + std::strerror(errno));
  return event;
}

bool names_close(const std::string& connection_header) {
  return connection_header.size() == 5 && ::strcasecmp(connection_header.c_str(), "close") == 0;
}

// An answer without known length ends with the connection for clients that know no chunks.
bool ends_with_connection(const httplib::Request& request) {
  if (request.version != "HTTP/1.0") return false;
  const Resource resource = parse_route(request.path).resource;
  return resource == Resource::kProducts || resource == Resource::kUpload;
}

// Settles what the library would otherwise do with the request. True if the connection may stay
// open after the answer.
bool prepare(httplib::Request& request) {
  // It would compress long answers on the fly at the slowest level, and cut error messages in
  // ranges; a proxy in front does the first better, and nothing here is big enough for the second.
  request.headers.erase("Accept-Encoding");
  request.ranges.clear();

  request.headers.erase(kBodyTypeHeader);
  request.set_header(kBodyTypeHeader, request.get_header_value("Content-Type"));
  request.headers.erase("Content-Type");

  if (!names_close(request.get_header_value("Connection")) && !ends_with_connection(request)) {
    return true;
  }
  request.headers.erase("Connection");
  request.set_header("Connection", "close");  // the one spelling that the library knows
  return false;
}

}  // namespace

Framing framing_of(const httplib::Request& request) {
  Framing framing;
  for (const auto& [name, value] : request.headers) {
    framing.names_valid = framing.names_valid && is_header_name(name);
  }
  framing.transfer_encoding = request.has_header("Transfer-Encoding");
  framing.content_encoding = request.has_header("Content-Encoding");
  framing.content_lengths = request.get_header_value_count("Content-Length");
  framing.content_length = request.get_header_value("Content-Length");
  return framing;
}

HttpServer::HttpServer(std::size_t threads)
    : stop_event_(make_event()),
      workers_(threads, [this](Socket socket) { converse(std::move(socket)); }) {}

void HttpServer::serve(Socket listener) {
  svr_sock_ = listener.get();  // the library takes this for "not shutting down"
  accept_clients(listener.get());
  listener = Socket();  // who comes now is refused at once, not left in the kernel's queue
  workers_.shut_down();
}

void HttpServer::stop_serving() {
  stopping_ = true;
  const std::uint64_t one = 1;
  // An eventfd at zero always takes a one.
  [[maybe_unused]] const ssize_t written = ::write(stop_event_.get(), &one, sizeof one);
  workers_.stop_accepting();
}

void HttpServer::accept_clients(int listener) {
  while (wait_for_client(listener, kForever)) {
    Socket client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (client) {
      const int yes = 1;
      ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      workers_.submit(std::move(client));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The client stays in the queue, so waiting for it would not block.
      log_line(std::string("cannot accept a connection: ") + std::strerror(errno));
      wait_for_client(-1, kAcceptPause);
    }
  }
}

// False when the server is to end.
bool HttpServer::wait_for_client(int listener, int milliseconds) const {
  pollfd events[] = {{listener, POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
  ::poll(events, 2, milliseconds);
  return !stopping_;
}

void HttpServer::converse(Socket socket) {
  ConnectionStream stream(socket.get(), stop_event_.get());
  Next next = Next::kRequest;
  const auto others_wait = [this] { return workers_.waiting() > 0; };
  try {
    for (int served = 1; next == Next::kRequest; ++served) {
      const bool last = served >= kFairShare && others_wait();
      next = stream.await_request(others_wait) ? serve_one(stream, last) : Next::kClose;
    }
  } catch (const std::exception& error) {
    log_line(std::string("a connection was broken off: ") + error.what());
    next = Next::kReset;
  }
  if (next == Next::kReset) stream.reset_on_close();
  if (next == Next::kLinger) stream.linger();
}

HttpServer::Next HttpServer::serve_one(ConnectionStream& stream, bool last) {
  bool has_head = false;        // it was read and made sense
  bool end_is_certain = false;  // of this request, and with it the beginning of the next
  bool keep_open = false;
  bool close_asked = false;
  stream.begin_head();
  last = last || stopping_;
  const bool answered = process_request(stream, last, close_asked, [&](httplib::Request& request) {
    const auto length = body_length(framing_of(request));
    has_head = true;
    end_is_certain = length.has_value();
    keep_open = prepare(request);
    stream.begin_body(length.value_or(0));
  });
  if (!stream.flush()) return Next::kReset;
  if (!has_head) return Next::kLinger;  // the library answered with an error, or nobody was there
  if (!answered) return Next::kReset;   // broken off
  if (!end_is_certain || stream.body_left() > 0) return Next::kLinger;
  return keep_open && !close_asked && !last ? Next::kRequest : Next::kClose;
}

}  // namespace imgpress::gateway
