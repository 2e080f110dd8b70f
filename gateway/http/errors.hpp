// The errors that clients see: a closed list of codes, and which SQLSTATE becomes which.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace imgpress::gateway {

enum class ErrorCode {
  kBadRequest,
  kInvalidUpload,
  kNotFound,
  kMethodNotAllowed,
  kTimeout,
  kLengthRequired,
  kTooLarge,
  kUriTooLong,
  kUnsupportedMediaType,
  kRangeNotSatisfiable,
  kHeadersTooLarge,
  kInternalError,
  kBusy,
  kDatabaseUnavailable,
  kLoginRefused,
  kExtensionMissing,
};

// An error as it is answered. The message and the hint are sentences for the client; the hint may
// be empty.
struct Error {
  ErrorCode code = ErrorCode::kInternalError;
  std::string message;
  std::string hint = {};
};

const char* name_of(ErrorCode code);
int status_of(ErrorCode code);

// The error for a status that the HTTP library has chosen.
Error library_error(int status);

// The error for an upload of more than so many bytes.
Error too_large(std::uint64_t most_bytes);

// The error for a statement that failed; the message and the hint of PostgreSQL are used where they
// are fit for clients.
Error database_error(std::string_view sqlstate, const std::string& message,
                     const std::string& hint);

inline Error no_such_request() {
  return {ErrorCode::kNotFound, "no request has this id"};
}

// Thrown by a handler to answer with an error.
class HttpError : public std::runtime_error {
 public:
  explicit HttpError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

}  // namespace imgpress::gateway
