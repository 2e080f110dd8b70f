#include "api/handlers.hpp"
#include "database/finding.hpp"

namespace imgpress::gateway {
namespace {

constexpr auto kHealthTime = std::chrono::seconds(2);

ErrorCode code_of(Finding::State state) {
  switch (state) {
    case Finding::State::kLoginRefused:
      return ErrorCode::kLoginRefused;
    case Finding::State::kExtensionMissing:
      return ErrorCode::kExtensionMissing;
    default:
      return ErrorCode::kDatabaseUnavailable;
  }
}

}  // namespace

void answer_health(Service& service, Exchange& exchange) {
  exchange.set_header("Cache-Control", "no-store");
  const Finding finding = examine_database(service.pool, within(kHealthTime));
  if (finding.state == Finding::State::kReady) return exchange.send_json(R"({"status":"ok"})");
  throw HttpError({code_of(finding.state), finding.text, finding.cure});
}

}  // namespace imgpress::gateway
