#include "api/handlers.hpp"
#include "http/validators.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kStatus =
    "SELECT imgpress_internal.request_etag($1::pg_catalog.uuid), pg_catalog.row_to_json(s) "
    "FROM imgpress_internal.request_summary($1::pg_catalog.uuid) s";
constexpr const char* kEtag = "SELECT imgpress_internal.request_etag($1::pg_catalog.uuid)";

// PostgreSQL puts all products together, perhaps 100,000, before it sends the first.
constexpr const char* kBegin = "BEGIN READ ONLY; SET LOCAL statement_timeout = '5min'";
constexpr auto kProductsTime = std::chrono::minutes(6);
constexpr const char* kProducts =
    "SELECT pg_catalog.row_to_json(p) "
    "FROM (SELECT serial_number, product_name, input_image_urls, output_image_urls "
    "FROM imgpress.request_products($1::pg_catalog.uuid)) p";

// True if the client has the answer already, which it is then told.
bool is_unchanged(Exchange& exchange, std::string_view etag) {
  exchange.set_header("Cache-Control", "no-cache");
  exchange.set_header("Vary", "Accept-Encoding");
  return exchange.is_unchanged("W/" + quoted_etag(etag));
}

Result query(Service& service, const char* sql, const Route& route) {
  if (route.request_id.empty()) throw HttpError(no_such_request());
  Result result =
      service.pool.run(Use::kShort, within(kConnectionWait), [&](Connection& connection) {
        return connection.query(sql, {route.request_id}, within(kQueryTime));
      });
  if (result.rows() == 0 || result.is_null(0, 0)) throw HttpError(no_such_request());
  return result;
}

Body read_products(Connection& connection, const std::string& request_id, BodyBuilder builder) {
  connection.execute(kBegin, within(kQueryTime));
  builder.append(R"({"request_id":")" + request_id + R"(","products":[)");
  append_rows(connection, kProducts, {request_id}, within(kProductsTime), builder);
  builder.append("]}");
  connection.execute("COMMIT", within(kQueryTime));
  return builder.finish(kJsonType);
}

}  // namespace

void append_rows(Connection& connection, const char* sql, const Parameters& parameters,
                 Deadline deadline, BodyBuilder& builder) {
  connection.start_rows(sql, parameters, deadline);
  const char* comma = "";
  while (const auto row = connection.next_row(deadline)) {
    builder.append(comma);
    builder.append(row->value(0, 0));
    comma = ",";
  }
}

void answer_status(Service& service, const Route& route, Exchange& exchange) {
  const Result result = query(service, kStatus, route);
  if (!is_unchanged(exchange, result.value(0, 0))) exchange.send_json(200, result.value(0, 1));
}

void answer_products(Service& service, const Route& route, Exchange& exchange) {
  if (is_unchanged(exchange, query(service, kEtag, route).value(0, 0))) return;
  exchange.send(200,
                service.pool.run(Use::kLong, within(kConnectionWait), [&](Connection& connection) {
                  return read_products(connection, route.request_id, exchange.text_builder());
                }));
}

}  // namespace imgpress::gateway
