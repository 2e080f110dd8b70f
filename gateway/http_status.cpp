#include "http_status.hpp"

#include <cstring>

namespace imgpress::gateway {
namespace {

constexpr const char* kNoExtension = "The imgpress extension is not available in this database.";

constexpr StatusRule kRules[] = {
    // The caller can correct it
    {"22", 400, nullptr},  // data exceptions: CSV faults, bad parameters, text not UTF-8
    {"P0002", 404, kNoSuchRequest},
    {"54", 413, "The upload is larger than PostgreSQL can take."},
    // Temporary, or for the operator to correct: the caller may try again later
    {"08", 503, "The connection to PostgreSQL was lost."},
    {"25006", 503, "PostgreSQL accepts no changes at the moment."},
    {"40", 503, "PostgreSQL could not carry out the request at the moment."},
    {"53", 503, "PostgreSQL is out of resources."},
    {"55P03", 503, "PostgreSQL could not carry out the request at the moment."},
    {"57", 503, "PostgreSQL stopped the request or is not ready."},
    {"58", 503, "PostgreSQL reports a system error."},
    {"3F000", 503, kNoExtension},  // no schema imgpress
    {"42883", 503, kNoExtension},  // no such function
    {"42P01", 503, kNoExtension},  // no such table
    // Unexpected
    {"42501", 500, "The gateway's database role lacks a privilege."},
    {"", 500, "Internal error."},
};

}  // namespace

const StatusRule& status_rule(std::string_view sqlstate) {
  const StatusRule* best = nullptr;
  std::size_t best_length = 0;
  for (const StatusRule& rule : kRules) {
    const std::size_t length = std::strlen(rule.sqlstate);
    if (sqlstate.substr(0, length) != rule.sqlstate) continue;
    if (best != nullptr && length < best_length) continue;
    best = &rule;
    best_length = length;
  }
  return *best;  // the empty prefix matches everything
}

}  // namespace imgpress::gateway
