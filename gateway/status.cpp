#include "answers.hpp"
#include "http_server.hpp"
#include "queries.hpp"

namespace imgpress::gateway {
namespace {

constexpr Statement kStatus{"status", "SELECT imgpress.request_status($1::pg_catalog.uuid)"};

// A finding is the HTTP status (three digits), followed by the status of the request or a message.
constexpr int kFound = 200;
constexpr std::size_t kDigits = 3;

std::string finding_for(const Failure& failure) {
  return std::to_string(failure.status) + failure.message;
}

std::string finding_for(const Outcome& outcome) {
  if (const auto* error = std::get_if<DatabaseError>(&outcome)) {
    return finding_for(explain(std::make_exception_ptr(*error)));
  }
  return std::to_string(kFound).append(std::get<Result>(outcome).value(0, 0));
}

}  // namespace

std::vector<std::string> find_statuses(Pool& pool, const std::vector<std::string>& request_ids) {
  std::vector<std::string> findings;
  try {
    const auto outcomes = with_connection(
        pool, Use::kShort, within(kConnectionWait),
        [&](Lease& lease) { return lease->query_each(kStatus, request_ids, within(kQueryTime)); });
    for (const Outcome& outcome : outcomes) findings.push_back(finding_for(outcome));
  } catch (const std::exception&) {
    findings.assign(request_ids.size(), finding_for(explain(std::current_exception())));
  }
  return findings;
}

void answer_status(Pool& pool, const Route& route, const httplib::Request& request,
                   httplib::Response& response) {
  std::string finding = request.get_header_value(kFindingHeader);
  if (finding.empty()) finding = find_statuses(pool, {route.request_id}).front();
  const int status = std::stoi(finding.substr(0, kDigits));
  const std::string text = finding.substr(kDigits);
  if (status != kFound) throw HttpError(status, text);
  answer_json(response, kFound, Json{{"request_id", route.request_id}, {"status", text}});
}

}  // namespace imgpress::gateway
