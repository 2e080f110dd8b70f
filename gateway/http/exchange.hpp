// One request and its answer.
#pragma once

#include <httplib.h>

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "http/body.hpp"
#include "http/errors.hpp"

namespace imgpress::gateway {

// Objects keep the order in which their fields were added.
using Json = nlohmann::ordered_json;

// Bytes that are not valid UTF-8 become replacement characters.
std::string to_text(const Json& json);

constexpr const char* kJsonType = "application/json";

class Exchange {
 public:
  // `running` is released when the answer has been sent.
  Exchange(const httplib::Request& request, httplib::Response& response, SpoolSpace& space,
           std::shared_ptr<void> running);

  const httplib::Request& request() const { return request_; }
  // What the library looks at when it goes on with the request.
  httplib::Request& library_request() { return request_; }

  // The connection will be closed after the answer, because it is not certain where the request
  // ends, or the gateway is about to end.
  void close_after() { closes_ = true; }
  // Likewise for as long as the body was not read to its end, whatever is answered meanwhile.
  void set_body_unread(bool unread) { body_unread_ = unread; }

  // Replaces one of the same name.
  void set_header(const char* name, const std::string& value);

  // For a text, which is gzipped if the client accepts that.
  BodyBuilder text_builder();
  // For bytes that are sent as they are.
  BodyBuilder plain_builder() { return BodyBuilder(space_, false); }

  // The whole body, whatever range the client asks for.
  void send(int status, const Body& body);
  void send_json(int status, std::string_view text);
  // Status 200, or 206 with the range that the client asks for, or 416.
  void send_range(const Body& body);
  // Sets the ETag, given as in the header. True if the client has what it stands for: the answer is
  // then a 304.
  bool is_unchanged(const std::string& etag);

  void send_error(const Error& error);
  // `body` begins with what error_head() returns.
  void send_error(const Error& error, const Body& body);
  // The JSON of an error with details, up to the list; its entries and "]}" must follow.
  static std::string error_head(const Error& error);

 private:
  bool clamp_range(std::uint64_t size);
  void provide(const Body& body);

  httplib::Request& request_;
  httplib::Response& response_;
  SpoolSpace& space_;
  std::shared_ptr<void> running_;
  bool closes_ = false;
  bool body_unread_ = false;
};

// Whether pages of other sites may show an answer: "same-origin", unless a handler sets it.
inline constexpr const char* kResourcePolicy = "Cross-Origin-Resource-Policy";

// Completes the headers of an answer, after the library has added its own.
void complete_headers(httplib::Response& response);

}  // namespace imgpress::gateway
