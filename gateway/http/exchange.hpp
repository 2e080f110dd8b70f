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
           std::shared_ptr<void> running)
      : request_(request), response_(response), space_(space), running_(std::move(running)) {}

  const httplib::Request& request() const { return request_; }

  // The connection will be closed after the answer, because it is not certain where the request
  // ends, or its body was not read to the end.
  void close_after() { closes_ = true; }
  bool closes() const { return closes_; }

  // Replaces one of the same name.
  void set_header(const char* name, const std::string& value);

  // For a text, which is gzipped if the client accepts that.
  BodyBuilder text_builder();
  // For bytes that are sent as they are.
  BodyBuilder plain_builder() { return BodyBuilder(space_, false); }

  // Status 200; or 206 with the range that the client asks for, or 416.
  void send(Body body);
  void send_json(std::string_view text);
  // Status 202.
  void send_accepted(std::string_view text);
  // Status 304.
  void send_not_modified();

  void send_error(const Error& error);
  // `body` begins with what error_head() returns.
  void send_error(const Error& error, const Body& body);
  // The JSON of an error with details, up to the list; its entries and "]}" must follow.
  static std::string error_head(const Error& error);

 private:
  bool range_is_satisfiable(std::uint64_t size) const;
  void provide_whole(const Body& body);

  const httplib::Request& request_;
  httplib::Response& response_;
  SpoolSpace& space_;
  std::shared_ptr<void> running_;
  bool closes_ = false;
};

// Completes the headers of an answer, after the library has added its own.
void complete_headers(const httplib::Request& request, httplib::Response& response);

}  // namespace imgpress::gateway
