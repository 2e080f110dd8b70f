// The errors that clients see: a closed list of codes, and which SQLSTATE becomes which.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace imgpress::gateway {

struct ErrorCode {
  std::string_view name;
  int status;

  bool operator==(const ErrorCode& other) const { return name == other.name; }
};

inline constexpr ErrorCode kBadRequest{"bad_request", 400};
inline constexpr ErrorCode kInvalidUpload{"invalid_upload", 400};
inline constexpr ErrorCode kUnauthorized{"unauthorized", 401};
inline constexpr ErrorCode kForbidden{"forbidden", 403};
inline constexpr ErrorCode kCrossSite{"cross_site", 403};
inline constexpr ErrorCode kNotFound{"not_found", 404};
inline constexpr ErrorCode kMethodNotAllowed{"method_not_allowed", 405};
inline constexpr ErrorCode kTimeout{"timeout", 408};
inline constexpr ErrorCode kLengthRequired{"length_required", 411};
inline constexpr ErrorCode kTooLarge{"too_large", 413};
inline constexpr ErrorCode kUriTooLong{"uri_too_long", 414};
inline constexpr ErrorCode kUnsupportedMediaType{"unsupported_media_type", 415};
inline constexpr ErrorCode kRangeNotSatisfiable{"range_not_satisfiable", 416};
inline constexpr ErrorCode kUnknownHost{"unknown_host", 421};
inline constexpr ErrorCode kHeadersTooLarge{"headers_too_large", 431};
inline constexpr ErrorCode kInternalError{"internal_error", 500};
inline constexpr ErrorCode kBusy{"busy", 503};
inline constexpr ErrorCode kDatabaseUnavailable{"database_unavailable", 503};
inline constexpr ErrorCode kLoginRefused{"login_refused", 503};
inline constexpr ErrorCode kExtensionMissing{"extension_missing", 503};

// An error as it is answered. The message and the hint are sentences for the client; the hint may
// be empty.
struct Error {
  ErrorCode code;
  std::string message;
  std::string hint = {};
};

// Thrown by a handler to answer with an error.
class HttpError : public std::runtime_error {
 public:
  explicit HttpError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

inline constexpr const char* kNoSuchRequest = "no request has this id";

inline Error no_such_request() {
  return {kNotFound, kNoSuchRequest};
}

// The error for a request with no key, or with one that is not valid: the same for all, so that
// nobody learns which keys there are.
Error unauthorized();

// The error for a key that is valid but not for this scope.
Error forbidden(std::string_view scope);

// The error for an upload of more than so many bytes.
Error too_large(std::uint64_t most_bytes);

// The error for a status that the HTTP library has chosen.
Error library_error(int status);

// The error for a statement that failed; the message and the hint of PostgreSQL are used where they
// are fit for clients.
Error database_error(std::string_view sqlstate, const std::string& message,
                     const std::string& hint);

}  // namespace imgpress::gateway
