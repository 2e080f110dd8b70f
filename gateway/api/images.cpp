#include <ctime>

#include "http/validators.hpp"
#include "api/handlers.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kEtag =
    "SELECT imgpress.output_etag($1::pg_catalog.uuid, $2::pg_catalog.int4)";

// Binary, because bytea as text is twice as long. The time is a number, because binary timestamptz
// is a format of PostgreSQL's own; rounded down, so that Last-Modified is never in the future.
constexpr const char* kImage =
    "SELECT content_type, etag, "
    "pg_catalog.floor(extract(epoch FROM created_at))::pg_catalog.int8, bytes "
    "FROM imgpress.output_image($1::pg_catalog.uuid, $2::pg_catalog.int4)";

// An output never changes under its URL.
constexpr const char* kCacheControl = "public, max-age=31536000, immutable";

std::time_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::time_t>(value);
}

void set_validators(Exchange& exchange, std::string_view etag) {
  exchange.set_header("ETag", quoted_etag(etag));
  exchange.set_header("Cache-Control", kCacheControl);
}

Result query(Service& service, const char* sql, const Route& route) {
  return service.pool.run(Use::kShort, within(kConnectionWait), [&](Connection& connection) {
    return connection.query(sql, {route.request_id, std::to_string(route.image_no)},
                            within(kQueryTime), ValueFormat::kBinary);
  });
}

// True if the client's copy is up to date, which it is then told; does not read the image.
bool answer_unchanged(Service& service, const Route& route, Exchange& exchange) {
  const std::string wanted = exchange.request().get_header_value("If-None-Match");
  if (wanted.empty()) return false;
  const Result result = query(service, kEtag, route);
  if (result.is_null(0, 0) || !if_none_match(wanted, result.value(0, 0))) return false;
  set_validators(exchange, result.value(0, 0));
  exchange.send_not_modified();
  return true;
}

}  // namespace

void answer_image(Service& service, const Route& route, Exchange& exchange) {
  if (answer_unchanged(service, route, exchange)) return;
  const Result image = query(service, kImage, route);
  if (image.rows() == 0) throw HttpError({ErrorCode::kNotFound, "there is no such image"});
  set_validators(exchange, image.value(0, 1));
  if (!image.is_null(0, 2)) {
    exchange.set_header("Last-Modified", http_date(big_endian(image.value(0, 2))));
  }
  BodyBuilder builder = exchange.plain_builder();
  builder.append(image.value(0, 3));
  exchange.send(builder.finish(std::string(image.value(0, 0))));
}

}  // namespace imgpress::gateway
