#include "answers.hpp"
#include "queries.hpp"

namespace imgpress::gateway {
namespace {

constexpr auto kHealthTime = std::chrono::seconds(2);

// Needs the extension's function and its table; changes nothing, and logs no error.
constexpr Statement kProbe{
    "health", "SELECT imgpress.output_etag('00000000-0000-0000-0000-000000000000', 0)"};

}  // namespace

void answer_health(Pool& pool, httplib::Response& response) {
  try {
    with_connection(pool, Use::kShort, within(kHealthTime),
                    [](Lease& lease) { return lease->query(kProbe, {}, within(kHealthTime)); });
    answer_json(response, 200, Json{{"status", "ok"}});
  } catch (const std::exception&) {
    // Whatever is wrong, the service is unavailable: monitoring sees a single status.
    answer_failure(response, {503, explain(std::current_exception()).message});
  }
}

}  // namespace imgpress::gateway
