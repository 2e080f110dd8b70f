// Turns results, refusals and failures into HTTP answers: JSON, except for pages and images.
#pragma once

#include <httplib.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "row_stream.hpp"

namespace imgpress::gateway {

// Objects keep the order in which their fields were added.
using Json = nlohmann::ordered_json;

// Bytes that are not valid UTF-8 become replacement characters.
std::string to_text(const Json& json);

// Thrown by a handler to answer with another status than success and a sentence for the client.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

void answer_json(httplib::Response& response, int status, const Json& json);

// {"error": message}
void answer_error(httplib::Response& response, int status, const std::string& message);

// The HTTP status and the message for an exception. Details that are not for clients are logged.
struct Failure {
  int status;
  std::string message;
};
Failure explain(const std::exception_ptr& exception);
void answer_failure(httplib::Response& response, const Failure& failure);

// Sends the stream piece by piece; aborts the connection if the stream throws.
void answer_rows(const httplib::Request& request, httplib::Response& response, int status,
                 std::shared_ptr<RowStream> rows);

// Closes the connection after this answer, and tells the client so.
void close_after(httplib::Response& response);

}  // namespace imgpress::gateway
