#include "api/handlers.hpp"

namespace imgpress::gateway {

void answer_health(Service& service, Exchange& exchange) {
  const Finding finding = service.watch.look();
  if (finding.problem) throw HttpError(*finding.problem);
  exchange.set_header("Cache-Control", "no-store");
  exchange.send_json(200, R"({"status":"ok"})");
}

}  // namespace imgpress::gateway
