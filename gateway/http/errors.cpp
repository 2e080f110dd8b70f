#include "http/errors.hpp"

#include <algorithm>
#include <iterator>

namespace imgpress::gateway {
namespace {

struct SqlstateRule {
  std::string_view prefix;
  ErrorCode code;
  const char* message;  // nullptr: PostgreSQL's own message and hint are fit for the client
};

constexpr const char* kNeedsKey = "this needs a valid key";
constexpr const char* kNoExtension = "the database does not have this version of imgpress";

// The longest prefix comes first where several match.
constexpr SqlstateRule kRules[] = {
    // The caller can correct it
    {"22", kInvalidUpload, nullptr},  // faults of the CSV or of a field
    {"P0002", kNotFound, kNoSuchRequest},
    {"28P01", kUnauthorized, kNeedsKey},
    {"28000", kForbidden, nullptr},
    {"54", kTooLarge, "the upload is larger than PostgreSQL can take"},
    // Temporary, or for the operator to correct: the caller may try again later
    {"08", kDatabaseUnavailable, "the connection to PostgreSQL was lost"},
    {"25006", kDatabaseUnavailable, "PostgreSQL accepts no changes at the moment"},
    {"40", kDatabaseUnavailable, "PostgreSQL could not do this at the moment"},
    {"53", kDatabaseUnavailable, "PostgreSQL is out of resources"},
    {"55P03", kDatabaseUnavailable, "PostgreSQL could not do this at the moment"},
    {"57", kDatabaseUnavailable, "PostgreSQL stopped the request or is not ready"},
    {"58", kDatabaseUnavailable, "PostgreSQL reports a system error"},
    {"3F000", kExtensionMissing, kNoExtension},  // no schema imgpress
    {"42883", kExtensionMissing, kNoExtension},  // no such function
    {"42P01", kExtensionMissing, kNoExtension},  // no such table
    {"42501", kLoginRefused, "the gateway's login lacks a privilege"},
    {"", kInternalError, "internal error"},
};

}  // namespace

Error library_error(int status) {
  switch (status) {
    case 413:
      return {kTooLarge, "the body is too large"};
    case 414:
      return {kUriTooLong, "the path is too long"};
    case 416:
      return {kRangeNotSatisfiable, "the header Range is malformed"};
    case 431:
      return {kHeadersTooLarge, "the headers are too long"};
    default:
      if (status >= 500) return {kInternalError, "internal error"};
      return {kBadRequest, "the request line or a header is malformed or too long"};
  }
}

Error unauthorized() {
  return {kUnauthorized, kNeedsKey,
          "Send it in the header \"Authorization: Bearer ipk_...\". In the database, "
          "SELECT imgpress.create_key('who uses it') makes one."};
}

Error forbidden(std::string_view scope) {
  return {kForbidden, "the key lacks the scope \"" + std::string(scope) + '"',
          "Use a key with it; imgpress.create_key() has the parameter scopes."};
}

Error too_large(std::uint64_t most_bytes) {
  return {kTooLarge, "the upload is larger than " + std::to_string(most_bytes) + " bytes",
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
