// The key that a request brings along: "Authorization: Bearer ipk_<id>_<secret>".
#pragma once

#include <httplib.h>

#include <optional>
#include <string>
#include <string_view>

#include "database/connection.hpp"

namespace imgpress::gateway {

// What a request without a key is told.
enum class KeyDemand {
  kAlways,  // that it needs one
  kIfAny,   // likewise, if the database has any
  kNever,
};

// What the database gets to see of a key, and what may reach its log.
struct Key {
  std::string id;
  std::string secret_hash;  // SHA-256, as 32 bytes
};

// `text` is the value of the header. No value if it has another scheme, such as Basic, which a
// proxy may have asked for. Throws HttpError if it is no key.
std::optional<Key> parse_key(std::string_view text);

// Who sends a request, for the functions of SQL that act for somebody.
class Caller {
 public:
  // Throws HttpError if the request has more than one header Authorization, or one that is no key.
  Caller(const httplib::Request& request, KeyDemand demand);

  // The parameters key_id, secret_hash and demand, and these. The caller and what they refer to
  // must live until the statement was sent.
  Parameters with(Parameters further) const;

 private:
  std::optional<Key> key_;
  const char* demand_;
};

}  // namespace imgpress::gateway
