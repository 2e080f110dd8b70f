#include <charconv>

#include "answers.hpp"
#include "queries.hpp"

namespace imgpress::gateway {
namespace {

// The answer lasts as long as the client is slow, so the time limit for statements is lifted;
// the server's slowest pace for clients takes its place.
constexpr const char* kBegin = "BEGIN; SET LOCAL statement_timeout = 0";
constexpr const char* kProducts =
    "SELECT serial_number, product_name, input_image_urls, output_image_urls "
    "FROM imgpress.request_products($1::pg_catalog.uuid)";

Json number(std::string_view text) {
  long long value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void write_product(const Result& row, std::string& out) {
  out += to_text(Json{{"serial_number", number(row.value(0, 0))},
                      {"product_name", std::string(row.value(0, 1))},
                      {"input_image_urls", std::string(row.value(0, 2))},
                      {"output_image_urls", std::string(row.value(0, 3))}});
}

std::shared_ptr<RowStream> open_products(Lease& lease, const std::string& request_id) {
  lease->execute(kBegin, within(kQueryTime));
  lease->start_rows(kProducts, {request_id.c_str()}, within(kQueryTime));
  const std::string head = to_text(Json{{"request_id", request_id}});
  return std::make_shared<RowStream>(
      std::move(lease), head.substr(0, head.size() - 1) + ",\"products\":[", write_product, "]}");
}

}  // namespace

void answer_products(Pool& pool, const Route& route, const httplib::Request& request,
                     httplib::Response& response) {
  if (request.method == "HEAD") {
    // The same headers without putting all the rows together; an unknown id is a 404 here, too.
    answer_status(pool, route, request, response);
    response.body.clear();
    response.headers.erase("Content-Type");  // the next call adds one
    response.set_chunked_content_provider("application/json",
                                          [](std::size_t, httplib::DataSink&) { return false; });
    return;
  }
  auto rows = with_connection(pool, Use::kLong, within(kConnectionWait),
                              [&](Lease& lease) { return open_products(lease, route.request_id); });
  answer_rows(request, response, 200, std::move(rows));
}

}  // namespace imgpress::gateway
