#include "api/handlers.hpp"

namespace imgpress::gateway {

Error database_failure(const Finding& finding) {
  const char* hint = "The log of the gateway says more, and what to do.";
  switch (finding.state) {
    case Finding::State::kLoginRefused:
      return {ErrorCode::kLoginRefused, "the database refuses the gateway's login", hint};
    case Finding::State::kExtensionMissing:
      return {ErrorCode::kExtensionMissing, "the database lacks this version of imgpress", hint};
    default:
      return {ErrorCode::kDatabaseUnavailable, "the database cannot be reached at the moment",
              hint};
  }
}

void answer_health(Service& service, Exchange& exchange) {
  const Finding finding = service.watch.look();
  if (finding.state != Finding::State::kReady) throw HttpError(database_failure(finding));
  exchange.set_header("Cache-Control", "no-store");
  exchange.send_json(200, R"({"status":"ok"})");
}

}  // namespace imgpress::gateway
