#include "answers.hpp"
#include "queries.hpp"

namespace imgpress::gateway {
namespace {

constexpr Statement kStatus{"status", "SELECT imgpress.request_status($1::pg_catalog.uuid)"};

}  // namespace

void answer_status(Pool& pool, const Route& route, httplib::Response& response) {
  const Result result =
      with_connection(pool, Use::kShort, within(kConnectionWait), [&](Lease& lease) {
        return lease->query(kStatus, {route.request_id.c_str()}, within(kQueryTime));
      });
  answer_json(response, 200,
              Json{{"request_id", route.request_id}, {"status", std::string(result.value(0, 0))}});
}

}  // namespace imgpress::gateway
