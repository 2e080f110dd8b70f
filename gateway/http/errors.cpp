#include "http/errors.hpp"

#include <algorithm>
#include <iterator>

namespace imgpress::gateway {
namespace {

struct CodeRow {
  const char* name;
  int status;
};

// In the order of ErrorCode.
constexpr CodeRow kCodes[] = {
    {"bad_request", 400},
    {"invalid_upload", 400},
    {"not_found", 404},
    {"method_not_allowed", 405},
    {"timeout", 408},
    {"length_required", 411},
    {"too_large", 413},
    {"uri_too_long", 414},
    {"unsupported_media_type", 415},
    {"range_not_satisfiable", 416},
    {"headers_too_large", 431},
    {"internal_error", 500},
    {"busy", 503},
    {"database_unavailable", 503},
    {"login_refused", 503},
    {"extension_missing", 503},
};
static_assert(std::size(kCodes) == static_cast<std::size_t>(ErrorCode::kExtensionMissing) + 1);

const CodeRow& row_of(ErrorCode code) {
  return kCodes[static_cast<std::size_t>(code)];
}

struct SqlstateRule {
  std::string_view prefix;
  ErrorCode code;
  const char* message;  // nullptr: PostgreSQL's own message and hint are fit for the client
};

constexpr const char* kNoExtension = "the database does not have this version of imgpress";

// The longest prefix comes first where several match.
constexpr SqlstateRule kRules[] = {
    // The caller can correct it
    {"22", ErrorCode::kInvalidUpload, nullptr},  // faults of the CSV or of a field
    {"P0002", ErrorCode::kNotFound, "no request has this id"},
    {"54", ErrorCode::kTooLarge, "the upload is larger than PostgreSQL can take"},
    // Temporary, or for the operator to correct: the caller may try again later
    {"08", ErrorCode::kDatabaseUnavailable, "the connection to PostgreSQL was lost"},
    {"25006", ErrorCode::kDatabaseUnavailable, "PostgreSQL accepts no changes at the moment"},
    {"40", ErrorCode::kDatabaseUnavailable, "PostgreSQL could not do this at the moment"},
    {"53", ErrorCode::kDatabaseUnavailable, "PostgreSQL is out of resources"},
    {"55P03", ErrorCode::kDatabaseUnavailable, "PostgreSQL could not do this at the moment"},
    {"57", ErrorCode::kDatabaseUnavailable, "PostgreSQL stopped the request or is not ready"},
    {"58", ErrorCode::kDatabaseUnavailable, "PostgreSQL reports a system error"},
    {"3F000", ErrorCode::kExtensionMissing, kNoExtension},  // no schema imgpress
    {"42883", ErrorCode::kExtensionMissing, kNoExtension},  // no such function
    {"42P01", ErrorCode::kExtensionMissing, kNoExtension},  // no such table
    {"42501", ErrorCode::kLoginRefused, "the gateway's login lacks a privilege"},
    {"", ErrorCode::kInternalError, "internal error"},
};

}  // namespace

const char* name_of(ErrorCode code) {
  return row_of(code).name;
}

int status_of(ErrorCode code) {
  return row_of(code).status;
}

Error library_error(int status) {
  switch (status) {
    case 413:
      return {ErrorCode::kTooLarge, "the body is too large"};
    case 414:
      return {ErrorCode::kUriTooLong, "the path is too long"};
    case 415:
      return {ErrorCode::kUnsupportedMediaType, "the body has a form that is not accepted"};
    case 416:
      return {ErrorCode::kRangeNotSatisfiable, "the header Range is malformed"};
    case 431:
      return {ErrorCode::kHeadersTooLarge, "the headers are too long"};
    default:
      if (status >= 500) return {ErrorCode::kInternalError, "internal error"};
      return {ErrorCode::kBadRequest, "the request line or a header is malformed or too long"};
  }
}

Error too_large(std::uint64_t most_bytes) {
  return {ErrorCode::kTooLarge,
          "the upload is larger than " + std::to_string(most_bytes) + " bytes",
          "Split the file. The gateway's option --max-upload-bytes sets the limit."};
}

Error database_error(std::string_view sqlstate, const std::string& message,
                     const std::string& hint) {
  const auto& rule = *std::find_if(
      std::begin(kRules), std::end(kRules), [sqlstate](const SqlstateRule& candidate) {
        return sqlstate.substr(0, candidate.prefix.size()) == candidate.prefix;
      });
  if (rule.message != nullptr) return {rule.code, rule.message};
  return {rule.code, message, hint};
}

}  // namespace imgpress::gateway
