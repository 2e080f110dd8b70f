#include <cstring>

#include "api/handlers.hpp"
#include "http/validators.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kStatus =
    "SELECT refusal, etag, answer FROM imgpress_internal.status_as($1::pg_catalog.int4, "
    "$2::pg_catalog.bytea, $3::pg_catalog.text, $4::pg_catalog.uuid)";
constexpr int kRefusal = 0, kTag = 1, kAnswer = 2;

// PostgreSQL puts all products together, perhaps 100,000, before it sends the first.
constexpr const char* kBegin = "BEGIN READ ONLY; SET LOCAL statement_timeout = '5min'";
constexpr auto kProductsTime = std::chrono::minutes(6);
constexpr const char* kProducts =
    "SELECT * FROM imgpress_internal.products_as($1::pg_catalog.int4, $2::pg_catalog.bytea, "
    "$3::pg_catalog.text, $4::pg_catalog.uuid)";
constexpr const char* kCsv =
    "SELECT * FROM imgpress_internal.result_csv_as($1::pg_catalog.int4, $2::pg_catalog.bytea, "
    "$3::pg_catalog.text, $4::pg_catalog.uuid)";
constexpr const char* kCsvType = "text/csv; charset=utf-8";

// True if the client has the answer already, which it is then told.
bool is_unchanged(Exchange& exchange, std::string_view etag, const char* vary) {
  exchange.set_header("Cache-Control", "no-cache");
  exchange.set_header("Vary", vary);
  return exchange.is_unchanged("W/" + quoted_etag(etag));
}

// An id that cannot exist is asked for as well: without a key, it is refused like any other.
Parameter id_of(const Route& route) {
  return route.request_id.empty() ? Parameter::null() : route.request_id;
}

Result query_status(Service& service, const Caller& caller, const Route& route) {
  Result result =
      service.pool.run(Use::kShort, within(kConnectionWait), [&](Connection& connection) {
        return connection.query(kStatus, caller.with({id_of(route)}), within(kQueryTime));
      });
  check_refusal(result.value(0, kRefusal), rules_of(route.resource).scope);
  if (result.is_null(0, kTag)) throw HttpError(no_such_request());
  return result;
}

Body read_products(Connection& connection, const Caller& caller, const std::string& request_id,
                   BodyBuilder builder) {
  connection.execute(kBegin, within(kQueryTime));
  builder.append(R"({"request_id":")" + request_id + R"(","products":[)");
  append_rows(connection, kProducts, caller.with({request_id}), within(kProductsTime), builder);
  builder.append("]}");
  connection.execute("COMMIT", within(kQueryTime));
  return builder.finish(kJsonType);
}

Body read_csv(Connection& connection, const Caller& caller, const std::string& request_id,
              BodyBuilder builder) {
  const Deadline deadline = within(kProductsTime);
  connection.execute(kBegin, within(kQueryTime));
  connection.start_rows(kCsv, caller.with({request_id}), deadline);
  while (const auto row = connection.next_row(deadline)) {
    builder.append(row->value(0, 0));
    builder.append("\n");
  }
  connection.execute("COMMIT", within(kQueryTime));
  return builder.finish(kCsvType);
}

// Whoever accepts both gets JSON.
bool prefers_csv(const httplib::Request& request) {
  const std::string accepted = request.get_header_value("Accept");
  return ::strcasestr(accepted.c_str(), "text/csv") != nullptr &&
         ::strcasestr(accepted.c_str(), "application/json") == nullptr;
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
  const Caller caller(exchange.request(), service.keys);
  const Result result = query_status(service, caller, route);
  if (is_unchanged(exchange, result.value(0, kTag), "Accept-Encoding")) return;
  exchange.send_json(200, result.value(0, kAnswer));
}

void answer_products(Service& service, const Route& route, Exchange& exchange) {
  const Caller caller(exchange.request(), service.keys);
  const bool csv = route.csv || prefers_csv(exchange.request());
  std::string etag(query_status(service, caller, route).value(0, kTag));
  if (csv) etag += "-csv";
  if (is_unchanged(exchange, etag, "Accept, Accept-Encoding")) return;
  const auto read = csv ? read_csv : read_products;
  exchange.send(200,
                service.pool.run(Use::kLong, within(kConnectionWait), [&](Connection& connection) {
                  return read(connection, caller, route.request_id, exchange.text_builder());
                }));
  if (csv) {
    exchange.set_header("Content-Disposition",
                        "attachment; filename=\"products-" + route.request_id + ".csv\"");
  }
}

}  // namespace imgpress::gateway
