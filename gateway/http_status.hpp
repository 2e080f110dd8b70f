// The table of HTTP statuses by SQLSTATE.
#pragma once

#include <string_view>

namespace imgpress::gateway {

struct StatusRule {
  const char* sqlstate;  // a whole SQLSTATE or a prefix
  int status;
  const char* message;  // for the client; nullptr: PostgreSQL's own message is fit for it
};

// The rule with the longest matching prefix; an unknown SQLSTATE is a 500.
const StatusRule& status_rule(std::string_view sqlstate);

constexpr const char* kNoSuchRequest = "No request has this id.";

// The SQLSTATE of CSV faults, which are answered with their list.
constexpr std::string_view kCsvFaults = "22P04";

}  // namespace imgpress::gateway
