#include <algorithm>
#include <ctime>
#include <iterator>

#include "api/handlers.hpp"
#include "http/validators.hpp"

namespace imgpress::gateway {
namespace {

// Binary, because bytea as text is twice as long. The numbers are text, because a binary one
// depends on its type.
constexpr const char* kSlice =
    "SELECT content_type, etag, size::pg_catalog.text, created::pg_catalog.text, bytes, refusal, "
    "max_age::pg_catalog.text FROM imgpress_internal.output_slice($1::pg_catalog.uuid, "
    "$2::pg_catalog.int4, $3::pg_catalog.int4, $4::pg_catalog.int4, $5::pg_catalog.int8, "
    "$6::pg_catalog.text)";
constexpr int kContentType = 0, kTag = 1, kSize = 2, kCreated = 3, kBytes = 4, kRefusal = 5,
              kMaxAge = 6;

// Most images are one slice; a large one is never in memory as a whole.
constexpr std::size_t kSliceBytes = 256UL * 1024;

// An output never changes under its URL. (A signed URL is answered for a while only.)
constexpr const char* kCacheControl = "public, max-age=31536000, immutable";

// What else the database may say would make a browser run or render the bytes.
constexpr std::string_view kImageTypes[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};

std::string safe_type(std::string_view type) {
  const auto* found = std::find(std::begin(kImageTypes), std::end(kImageTypes), type);
  return std::string(found != std::end(kImageTypes) ? *found : "application/octet-stream");
}

// The bytes come from anywhere, and only look like an image. Shown by themselves, they can neither
// run nor load anything, nor reach what belongs to the gateway's origin.
void make_inert(Exchange& exchange) {
  exchange.set_header("Content-Security-Policy", "default-src 'none'; sandbox");
  exchange.set_header("Content-Disposition", "inline");
  exchange.set_header(kResourcePolicy, "cross-origin");
}

std::uint64_t number(const Result& slice, int column) {
  return std::stoull(std::string(slice.value(0, column)));
}

// What the URL says about its validity; SQL decides whether it matters.
struct Signature {
  std::string expires;
  std::string text;

  explicit Signature(const httplib::Request& request)
      : expires(request.get_param_value("expires")), text(request.get_param_value("signature")) {
    constexpr std::size_t kMostDigits = 18;
    const auto consists_of = [](const std::string& value, const char* characters) {
      return !value.empty() && value.find_first_not_of(characters) == value.npos;
    };
    if (expires.size() > kMostDigits || !consists_of(expires, "0123456789")) expires.clear();
    if (!consists_of(text, "0123456789abcdef")) text.clear();
  }
};

Parameter or_null(const std::string& text) {
  return text.empty() ? Parameter::null() : text;
}

Result query_slice(Service& service, const Route& route, const Signature& signature,
                   std::uint64_t offset, std::size_t most) {
  const std::string image_no = std::to_string(route.image_no);
  const std::string skipped = std::to_string(offset);
  const std::string size = std::to_string(most);
  Result slice =
      service.pool.run(Use::kShort, within(kConnectionWait), [&](Connection& connection) {
        return connection.query(kSlice,
                                {route.request_id, image_no, skipped, size,
                                 or_null(signature.expires), or_null(signature.text)},
                                within(kQueryTime), ValueFormat::kBinary);
      });
  if (slice.rows() > 0 && !slice.is_null(0, kRefusal)) {
    throw HttpError({kForbidden, "the URL of this image is not signed, or has expired",
                     "Ask for the product again: its output_image_urls are signed anew."});
  }
  return slice;
}

std::string cache_control(const Result& slice) {
  if (slice.is_null(0, kMaxAge)) return kCacheControl;
  return "public, max-age=" + std::string(slice.value(0, kMaxAge));
}

}  // namespace

void answer_image(Service& service, const Route& route, Exchange& exchange) {
  // A client that has an ETag probably has the image.
  const bool conditional = exchange.request().has_header("If-None-Match");
  const Signature signature(exchange.request());
  Result slice = query_slice(service, route, signature, 0, conditional ? 0 : kSliceBytes);
  if (slice.rows() == 0) throw HttpError({kNotFound, "there is no such image"});
  exchange.set_header("Cache-Control", cache_control(slice));
  make_inert(exchange);
  if (exchange.is_unchanged(quoted_etag(slice.value(0, kTag)))) return;

  exchange.set_header("Last-Modified",
                      http_date(static_cast<std::time_t>(number(slice, kCreated))));
  const std::string type = safe_type(slice.value(0, kContentType));
  const std::uint64_t size = number(slice, kSize);
  BodyBuilder builder = exchange.plain_builder();
  std::uint64_t done = 0;
  for (;;) {
    builder.append(slice.value(0, kBytes));
    done += slice.value(0, kBytes).size();
    if (done >= size) break;
    slice = query_slice(service, route, signature, done, kSliceBytes);
    if (slice.rows() == 0) throw HttpError({kNotFound, "the image was just deleted"});
  }
  exchange.send_range(builder.finish(type));
}

}  // namespace imgpress::gateway
