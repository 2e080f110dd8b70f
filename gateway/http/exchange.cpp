#include "http/exchange.hpp"

#include <algorithm>
#include <ctime>

#include "http/pace.hpp"
#include "http/validators.hpp"
#include "log.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kRetryAfterSeconds = "1";
constexpr std::size_t kPieceBytes = 16UL * 1024;

// Sends up to `length` bytes. False if the client is gone or too slow, or at an early end.
bool send_bytes(const Spool& bytes, std::uint64_t offset, std::uint64_t length,
                httplib::DataSink& sink) {
  const Pace pace;
  std::uint64_t sent = 0;
  try {
    while (sent < length) {
      char piece[kPieceBytes];
      const std::size_t size =
          bytes.read(offset + sent, piece, std::min<std::uint64_t>(kPieceBytes, length - sent));
      if (size == 0 || !sink.write(piece, size) || pace.too_slow(sent)) return false;
      sent += size;
    }
    return true;
  } catch (const std::exception& error) {
    log_line(std::string("an answer was broken off: ") + error.what());
    return false;
  }
}

std::string object_of(const Error& error) {
  return to_text(Json{{"error", error.message},
                      {"code", error.code.name},
                      {"hint", error.hint.empty() ? Json() : Json(error.hint)}});
}

}  // namespace

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The library hands out its own request, which is not const there. How it answers depends on the
// method and the ranges, and there is no other way to say how it should.
Exchange::Exchange(const httplib::Request& request, httplib::Response& response, SpoolSpace& space,
                   std::shared_ptr<void> running)
    : request_(const_cast<httplib::Request&>(request)),
      response_(response),
      space_(space),
      running_(std::move(running)) {}

void Exchange::set_header(const char* name, const std::string& value) {
  response_.headers.erase(name);
  response_.set_header(name, value);
}

BodyBuilder Exchange::text_builder() {
  if (!response_.has_header("Vary")) set_header("Vary", "Accept-Encoding");
  return BodyBuilder(space_, accepts_gzip(request_.get_header_value("Accept-Encoding")));
}

bool Exchange::is_unchanged(const std::string& etag) {
  set_header("ETag", etag);
  const bool unchanged = if_none_match(request_.get_header_value("If-None-Match"), etag);
  if (unchanged) response_.status = 304;
  return unchanged;
}

void Exchange::send(int status, const Body& body) {
  response_.status = status;
  request_.ranges.clear();
  provide(body);
}

void Exchange::send_json(int status, std::string_view text) {
  BodyBuilder builder = text_builder();
  builder.append(text);
  send(status, builder.finish(kJsonType));
}

// Sets the range to what the body has of it: version 0.11 of the library does not, and 0.18 refuses
// the last bytes if they are more than all. False if the body has nothing of the range.
bool Exchange::clamp_range(std::uint64_t size) {
  if (request_.ranges.empty()) return true;
  auto& [first, last] = request_.ranges.front();  // -1: not given
  const auto end = static_cast<ssize_t>(size);
  if (first == -1) {
    last = std::min(last, end);
    return last != 0;
  }
  if (last >= end) last = end - 1;
  return first < end;
}

void Exchange::send_range(const Body& body) {
  set_header("Accept-Ranges", "bytes");
  if (request_.ranges.size() <= 1 && clamp_range(body.bytes->size())) return provide(body);
  set_header("Content-Range", "bytes */" + std::to_string(body.bytes->size()));
  send_error({kRangeNotSatisfiable, "the image has no such range, or more than one was asked for"});
}

void Exchange::send_error(const Error& error) {
  BodyBuilder builder = plain_builder();
  builder.append(error.code.status == 400 ? error_head(error) + "]}" : object_of(error));
  send_error(error, builder.finish(kJsonType));
}

void Exchange::send_error(const Error& error, const Body& body) {
  const int status = error.code.status;
  if (status == 503) set_header("Retry-After", kRetryAfterSeconds);
  if (status == 401) set_header("WWW-Authenticate", "Bearer");
  for (const char* name : {"ETag", "Last-Modified"}) response_.headers.erase(name);
  set_header("Cache-Control", "no-store");
  send(status, body);
}

std::string Exchange::error_head(const Error& error) {
  const std::string object = object_of(error);
  return object.substr(0, object.size() - 1) + ",\"details\":[";
}

// Leaves a status open that was not set: the library then chooses between 200 and 206.
void Exchange::provide(const Body& body) {
  if (body.gzipped) set_header("Content-Encoding", "gzip");
  const bool is_head = request_.method == "HEAD";
  const bool closes = closes_ || body_unread_;
  if (closes) {
    set_header("Connection", "close");
    // Only the function below can close the connection, and the library does not call it for HEAD.
    if (is_head) request_.method = "GET";
    // Version 0.41 would read the rest of the body after the answer, for as long as it comes.
    for (const char* name : {"Content-Length", "Transfer-Encoding"}) request_.headers.erase(name);
    request_.headers.emplace("Content-Length", "0");
  }
  // Version 0.11 of the library would call the function for ever if there were nothing to send.
  if (body.bytes->size() == 0) return set_header("Content-Type", body.type);
  response_.set_content_provider(
      body.bytes->size(), body.type,
      [body, is_head, closes, running = running_](std::size_t offset, std::size_t length,
                                                  httplib::DataSink& sink) {
        return (is_head || send_bytes(*body.bytes, offset, length, sink)) && !closes;
      });
}

void complete_headers(httplib::Response& response) {
  const bool closes = response.has_header("Connection");
  response.headers.erase("Connection");
  if (closes) {
    response.set_header("Connection", "close");
    response.headers.erase("Keep-Alive");
  }
  // The library claims it for every HEAD.
  if (response.get_header_value("Content-Type").rfind("image/", 0) != 0) {
    response.headers.erase("Accept-Ranges");
  }
  if (response.status == 304) response.headers.erase("Content-Length");
  response.set_header("Date", http_date(std::time(nullptr)));
  response.set_header("X-Content-Type-Options", "nosniff");
  if (!response.has_header(kResourcePolicy)) response.set_header(kResourcePolicy, "same-origin");
}

}  // namespace imgpress::gateway
