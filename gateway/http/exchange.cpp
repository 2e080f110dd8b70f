#include "http/exchange.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "http/pace.hpp"
#include "http/validators.hpp"
#include "log.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kRetryAfterSeconds = "1";
constexpr std::size_t kPieceBytes = 16 * 1024;

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
                      {"code", name_of(error.code)},
                      {"hint", error.hint.empty() ? Json() : Json(error.hint)}});
}

// Version 0.11 of the library takes the end of a range as the client names it, even beyond the end
// of the body.
void clamp_range(httplib::Response& response) {
  unsigned long long first = 0, last = 0, size = 0;
  const std::string range = response.get_header_value("Content-Range");
  if (std::sscanf(range.c_str(), "bytes %llu-%llu/%llu", &first, &last, &size) != 3) return;
  if (first >= size || last < size) return;
  const std::string total = std::to_string(size);
  response.headers.erase("Content-Range");
  response.set_header("Content-Range", "bytes " + std::to_string(first) + '-' +
                                           std::to_string(size - 1) + '/' + total);
  response.headers.erase("Content-Length");
  response.set_header("Content-Length", std::to_string(size - first));
}

}  // namespace

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Exchange::set_header(const char* name, const std::string& value) {
  response_.headers.erase(name);
  response_.set_header(name, value);
}

BodyBuilder Exchange::text_builder() {
  set_header("Vary", "Accept-Encoding");
  return BodyBuilder(space_, accepts_gzip(request_.get_header_value("Accept-Encoding")));
}

bool Exchange::range_is_satisfiable(std::uint64_t size) const {
  if (request_.ranges.empty()) return true;
  const auto [first, last] = request_.ranges.front();  // -1: not given
  return first == -1 ? last != 0 : static_cast<std::uint64_t>(first) < size;
}

void Exchange::send(Body body) {
  const std::uint64_t size = body.bytes->size();
  if (!range_is_satisfiable(size)) {
    set_header("Content-Range", "bytes */" + std::to_string(size));
    return send_error({ErrorCode::kRangeNotSatisfiable, "the range is beyond the end"});
  }
  if (body.gzipped) set_header("Content-Encoding", "gzip");
  set_header("Accept-Ranges", "bytes");
  // The status stays open: the library chooses between 200 and 206.
  response_.set_content_provider(
      size, body.type,
      [body, running = running_](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return send_bytes(*body.bytes, offset, length, sink);
      });
}

void Exchange::send_json(std::string_view text) {
  BodyBuilder builder = text_builder();
  builder.append(text);
  send(builder.finish(kJsonType));
}

void Exchange::send_accepted(std::string_view text) {
  BodyBuilder builder = plain_builder();
  builder.append(text);
  response_.status = 202;
  set_header("Cache-Control", "no-store");
  provide_whole(builder.finish(kJsonType));
}

void Exchange::send_not_modified() {
  response_.status = 304;
}

std::string Exchange::error_head(const Error& error) {
  const std::string object = object_of(error);
  return object.substr(0, object.size() - 1) + ",\"details\":[";
}

void Exchange::send_error(const Error& error) {
  BodyBuilder builder = plain_builder();
  builder.append(status_of(error.code) == 400 ? error_head(error) + "]}" : object_of(error));
  send_error(error, builder.finish(kJsonType));
}

void Exchange::send_error(const Error& error, const Body& body) {
  response_.status = status_of(error.code);
  if (response_.status == 503) set_header("Retry-After", kRetryAfterSeconds);
  for (const char* name : {"ETag", "Last-Modified"}) response_.headers.erase(name);
  set_header("Cache-Control", "no-store");
  provide_whole(body);
}

// Whatever range the client asks for: the library applies ranges only to bodies whose length it
// knows.
void Exchange::provide_whole(const Body& body) {
  if (body.gzipped) set_header("Content-Encoding", "gzip");
  set_header("Content-Length", std::to_string(body.bytes->size()));
  const bool is_head = request_.method == "HEAD";
  if (closes_) {
    set_header("Connection", "close");
    // Only the function below can close the connection, and the library does not call it for HEAD.
    // The request is the library's own, and not const there.
    if (is_head) const_cast<httplib::Request&>(request_).method = "GET";
  }
  response_.set_content_provider(body.type, [body, is_head, closes = closes_, running = running_](
                                                std::size_t, httplib::DataSink& sink) {
    const bool whole = is_head || send_bytes(*body.bytes, 0, body.bytes->size(), sink);
    sink.done();
    return whole && !closes;
  });
}

void complete_headers(const httplib::Request&, httplib::Response& response) {
  const bool closes = response.has_header("Connection");
  response.headers.erase("Connection");
  if (closes) {
    response.set_header("Connection", "close");
    response.headers.erase("Keep-Alive");
  }
  if (response.status == 206) clamp_range(response);
  if (response.status == 304) response.headers.erase("Content-Length");
  if (response.status >= 300) response.headers.erase("Accept-Ranges");
  response.set_header("Date", http_date(std::time(nullptr)));
  response.set_header("X-Content-Type-Options", "nosniff");
}

}  // namespace imgpress::gateway
