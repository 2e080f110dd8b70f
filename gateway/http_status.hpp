// The one table from SQLSTATE to HTTP status.
#pragma once

#include <string_view>

namespace imgpress::gateway {

struct StatusRule {
  const char* sqlstate;  // whole or its beginning
  int status;
  const char* message;  // told to the client; nullptr: PostgreSQL's own message is meant for it
};

// The rule with the longest beginning that fits; a state that no rule names is a 500.
const StatusRule& status_rule(std::string_view sqlstate);

constexpr const char* kNoSuchRequest = "No request has this id.";

// CSV faults: answered with the list of them.
constexpr std::string_view kCsvFaults = "22P04";

}  // namespace imgpress::gateway
