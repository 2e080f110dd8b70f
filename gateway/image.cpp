#include "answers.hpp"
#include "etag.hpp"
#include "http_date.hpp"
#include "queries.hpp"

namespace imgpress::gateway {
namespace {

constexpr Statement kEtag{"etag",
                          "SELECT imgpress.output_etag($1::pg_catalog.uuid, $2::pg_catalog.int4)"};

// Binary, because bytea as text is twice as long. The time is a number, because binary timestamptz
// is a format of PostgreSQL's own; rounded down, so that Last-Modified is never in the future.
constexpr Statement kImage{
    "image",
    "SELECT content_type, etag, "
    "pg_catalog.floor(extract(epoch FROM created_at))::pg_catalog.int8, bytes "
    "FROM imgpress.output_image($1::pg_catalog.uuid, $2::pg_catalog.int4)",
    ValueFormat::kBinary};

// An output never changes under its URL.
constexpr const char* kCacheControl = "public, max-age=31536000, immutable";

std::time_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::time_t>(value);
}

void set_validators(httplib::Response& response, std::string_view etag) {
  response.set_header("ETag", quoted_etag(etag));
  response.set_header("Cache-Control", kCacheControl);
}

Result query(Pool& pool, const Statement& statement, const Route& route) {
  const std::string image_no = std::to_string(route.image_no);
  return with_connection(pool, Use::kShort, within(kConnectionWait), [&](Lease& lease) {
    return lease->query(statement, {route.request_id.c_str(), image_no.c_str()},
                        within(kQueryTime));
  });
}

// True if the client's copy is up to date; does not read the image.
bool client_has_it(Pool& pool, const Route& route, const httplib::Request& request,
                   httplib::Response& response) {
  const std::string wanted = request.get_header_value("If-None-Match");
  if (wanted.empty()) return false;
  const Result result = query(pool, kEtag, route);
  if (result.rows() == 0 || result.is_null(0, 0)) return false;
  if (!if_none_match(wanted, result.value(0, 0))) return false;
  response.status = 304;
  set_validators(response, result.value(0, 0));
  return true;
}

}  // namespace

void answer_image(Pool& pool, const Route& route, const httplib::Request& request,
                  httplib::Response& response) {
  if (client_has_it(pool, route, request, response)) return;
  const auto image = std::make_shared<Result>(query(pool, kImage, route));
  if (image->rows() == 0) throw HttpError(404, "There is no such image.");
  response.status = 200;
  set_validators(response, image->value(0, 1));
  if (!image->is_null(0, 2)) {
    response.set_header("Last-Modified", http_date(big_endian(image->value(0, 2))));
  }
  // Sent straight from the result, without another copy of the image.
  response.set_content_provider(
      image->value(0, 3).size(), std::string(image->value(0, 0)),
      [image](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return sink.write(image->value(0, 3).data() + offset, length);
      });
}

}  // namespace imgpress::gateway
