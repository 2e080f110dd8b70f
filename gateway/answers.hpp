// How results, refusals and failures become HTTP answers. Everything but pages and images is JSON.
#pragma once

#include <httplib.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "row_stream.hpp"

namespace imgpress::gateway {

// Keeps the order in which fields were added.
using Json = nlohmann::ordered_json;

// UTF-8 as it is; bytes that are no UTF-8 become replacement characters.
std::string to_text(const Json& json);

// Thrown by whoever serves a request: an answer other than success, with a sentence for the client.
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

// The status and the message that fit an exception; logs what only the operator may read.
struct Failure {
  int status;
  std::string message;
};
Failure explain(const std::exception_ptr& exception);
void answer_failure(httplib::Response& response, const Failure& failure);

// Sends the stream piece by piece; breaks the connection off where the stream throws.
void answer_rows(const httplib::Request& request, httplib::Response& response, int status,
                 std::shared_ptr<RowStream> rows);

// Says that the connection ends with this answer.
void close_after(httplib::Response& response);

}  // namespace imgpress::gateway
