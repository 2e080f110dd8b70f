#include <ctime>

#include "http/validators.hpp"
#include "api/handlers.hpp"

namespace imgpress::gateway {
namespace {

// Binary, because bytea as text is twice as long. The numbers are text, because a binary one
// depends on its type.
constexpr const char* kSlice =
    "SELECT content_type, etag, size::pg_catalog.text, created::pg_catalog.text, bytes "
    "FROM imgpress_internal.output_slice($1::pg_catalog.uuid, $2::pg_catalog.int4, "
    "$3::pg_catalog.int4, $4::pg_catalog.int4)";
constexpr int kContentType = 0, kTag = 1, kSize = 2, kCreated = 3, kBytes = 4;

// Most images are one slice; a large one is never in memory as a whole.
constexpr std::size_t kSliceBytes = 256 * 1024;

// An output never changes under its URL.
constexpr const char* kCacheControl = "public, max-age=31536000, immutable";

std::uint64_t number(const Result& slice, int column) {
  return std::stoull(std::string(slice.value(0, column)));
}

void set_validators(Exchange& exchange, std::string_view etag) {
  exchange.set_header("ETag", quoted_etag(etag));
  exchange.set_header("Cache-Control", kCacheControl);
}

Result query_slice(Service& service, const Route& route, std::uint64_t offset, std::size_t most) {
  return service.pool.run(Use::kShort, within(kConnectionWait), [&](Connection& connection) {
    return connection.query(kSlice,
                            {route.request_id, std::to_string(route.image_no),
                             std::to_string(offset), std::to_string(most)},
                            within(kQueryTime), ValueFormat::kBinary);
  });
}

// True if the client's copy is up to date, which it is then told; does not read the image.
bool answer_unchanged(Service& service, const Route& route, Exchange& exchange) {
  const std::string wanted = exchange.request().get_header_value("If-None-Match");
  if (wanted.empty()) return false;
  const Result slice = query_slice(service, route, 0, 0);
  if (slice.rows() == 0 || !if_none_match(wanted, slice.value(0, kTag))) return false;
  set_validators(exchange, slice.value(0, kTag));
  exchange.send_not_modified();
  return true;
}

}  // namespace

void answer_image(Service& service, const Route& route, Exchange& exchange) {
  if (answer_unchanged(service, route, exchange)) return;
  BodyBuilder builder = exchange.plain_builder();
  Result slice = query_slice(service, route, 0, kSliceBytes);
  if (slice.rows() == 0) throw HttpError({kNotFound, "there is no such image"});
  set_validators(exchange, slice.value(0, kTag));
  exchange.set_header("Last-Modified",
                      http_date(static_cast<std::time_t>(number(slice, kCreated))));
  const std::string type(slice.value(0, kContentType));
  const std::uint64_t size = number(slice, kSize);
  builder.append(slice.value(0, kBytes));
  for (std::uint64_t done = kSliceBytes; done < size; done += kSliceBytes) {
    slice = query_slice(service, route, done, kSliceBytes);
    if (slice.rows() == 0) throw HttpError({kNotFound, "the image was just deleted"});
    builder.append(slice.value(0, kBytes));
  }
  exchange.send_range(builder.finish(type));
}

}  // namespace imgpress::gateway
