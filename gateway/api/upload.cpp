#include <sys/random.h>

#include <array>
#include <vector>

#include "api/form.hpp"
#include "api/handlers.hpp"
#include "http/body_reader.hpp"
#include "http/framing.hpp"
#include "http/multipart.hpp"
#include "http/text.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::uint64_t kFormOverhead = 64UL * 1024;  // boundaries and heads of parts
constexpr std::size_t kPartBytes = 256UL * 1024;
// Longer than for other requests, because the whole upload was received already.
constexpr auto kUploadWait = std::chrono::seconds(30);
constexpr auto kStatementTime = std::chrono::minutes(11);  // longer than PostgreSQL's own limit

constexpr const char* kSavepoint = "SET LOCAL statement_timeout = '10min'; SAVEPOINT submission";
constexpr const char* kStorePart =
    "SELECT imgpress_internal.store_part($1::pg_catalog.uuid, $2::pg_catalog.int4, "
    "$3::pg_catalog.bytea)";
constexpr const char* kSubmit =
    "SELECT imgpress_internal.submit_upload_as($1::pg_catalog.int4, $2::pg_catalog.bytea, "
    "$3::pg_catalog.text, $4::pg_catalog.uuid, $5::pg_catalog.jsonb)";
constexpr const char* kFaults =
    "SELECT pg_catalog.row_to_json(f) "
    "FROM imgpress_internal.upload_faults($1::pg_catalog.uuid, $2::pg_catalog.jsonb) f";

bool is_csv(std::string_view type) {
  return equals_ignoring_case(trimmed(type.substr(0, type.find(';'))), "text/csv");
}

void read_body(const Service& service, const std::string& type, BodyReader& body,
               UploadForm& form) {
  const std::uint64_t most_bytes = service.max_upload_bytes + kFormOverhead;
  const auto take = [&form](std::string_view bytes) { form.take(bytes); };
  if (is_csv(type)) {
    form.begin_part("file");
    return body.read(most_bytes, take);
  }
  // Made when the body arrives, so that the rest is discarded if there is no boundary.
  std::optional<MultipartParser> parser;
  body.read(most_bytes, [&](std::string_view bytes) {
    if (!parser) {
      parser.emplace(
          type, [&form](const std::string& name) { form.begin_part(name); }, take);
    }
    parser->feed(bytes);
  });
  if (!parser || !parser->complete()) {
    throw HttpError({kBadRequest, "the form ends before its last boundary"});
  }
}

// A version 4 UUID (RFC 9562).
std::string random_uuid() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("getrandom gave too few bytes");
  }
  bytes[6] = static_cast<unsigned char>(0x40 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<unsigned char>(0x80 | (bytes[8] & 0x3f));
  std::string uuid;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += "0123456789abcdef"[bytes[i] >> 4];
    uuid += "0123456789abcdef"[bytes[i] & 15];
  }
  return uuid;
}

// An upload that is complete in the spool. Its id becomes that of the request, so that storing it
// again does nothing.
struct Upload {
  const std::string id;
  const Spool& file;
  const std::string fields;
  const Caller caller;
};

// In parts, because a statement is in memory as a whole, here and in PostgreSQL.
void store_parts(Connection& connection, const Upload& upload) {
  std::vector<char> part(kPartBytes);
  std::uint64_t offset = 0;
  int part_no = 0;
  do {
    std::size_t filled = 0;
    while (filled < part.size()) {
      const std::size_t got =
          upload.file.read(offset + filled, part.data() + filled, part.size() - filled);
      if (got == 0) break;
      filled += got;
    }
    connection.query(
        kStorePart,
        {upload.id, std::to_string(part_no++), Parameter::of_bytes({part.data(), filled})},
        within(kQueryTime));
    offset += filled;
  } while (offset < upload.file.size());
}

// Returns the JSON of the answer. Throws DatabaseError in a transaction that still has the parts.
std::string submit(Connection& connection, const Upload& upload) {
  connection.execute("BEGIN", within(kQueryTime));
  store_parts(connection, upload);
  connection.execute(kSavepoint, within(kQueryTime));
  const Result result = connection.query(kSubmit, upload.caller.with({upload.id, upload.fields}),
                                         within(kStatementTime));
  connection.execute("COMMIT", within(kStatementTime));
  return std::string(result.value(0, 0));
}

void answer_faults(Connection& connection, const Upload& upload, const Error& error,
                   Exchange& exchange) {
  connection.execute("ROLLBACK TO submission", within(kQueryTime));
  BodyBuilder builder = exchange.text_builder();
  builder.append(Exchange::error_head(error));
  append_rows(connection, kFaults, {upload.id, upload.fields}, within(kStatementTime), builder);
  builder.append("]}");
  exchange.send_error(error, builder.finish(kJsonType));
}

void answer_stored(const Upload& upload, const std::string& answer, Exchange& exchange) {
  exchange.set_header("Location", "/api/status/" + upload.id + '/');
  exchange.set_header("Retry-After", "1");
  exchange.set_header("Cache-Control", "no-store");
  exchange.send_json(202, answer);
}

void store(Service& service, const Upload& upload, Exchange& exchange) {
  service.pool.run(Use::kLong, within(kUploadWait), [&](Connection& connection) {
    try {
      answer_stored(upload, submit(connection, upload), exchange);
    } catch (const DatabaseError& failure) {
      const Error error = database_error(failure.sqlstate(), failure.what(), failure.hint());
      if (!(error.code == kInvalidUpload)) throw;
      answer_faults(connection, upload, error, exchange);
    }
  });
}

}  // namespace

std::string curl_line(const httplib::Request& request) {
  const bool https = request.get_header_value("X-Forwarded-Proto") == "https";
  return std::string("Try: curl -F file=@products.csv ") + (https ? "https" : "http") + "://" +
         request.get_header_value("Host") + "/api/upload/";
}

std::optional<Error> refuse_upload(const Service& service, const httplib::Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  if (!is_multipart(type) && !is_csv(type)) {
    return Error{kUnsupportedMediaType,
                 "an upload is multipart/form-data with the CSV in its field \"file\", or text/csv",
                 curl_line(request)};
  }
  if (request.has_header("Content-Encoding")) {
    return Error{kUnsupportedMediaType,
                 "a body with Content-Encoding is not accepted; send it as it is",
                 curl_line(request)};
  }
  if (declared_length(request) > service.max_upload_bytes + kFormOverhead) {
    return too_large(service.max_upload_bytes);
  }
  return std::nullopt;
}

void answer_upload(Service& service, Exchange& exchange, const httplib::ContentReader& reader) {
  UploadForm form(service.space, service.max_upload_bytes);
  BodyReader body(exchange, reader);
  read_body(service, exchange.request().get_header_value("Content-Type"), body, form);
  form.add_parameters(exchange.request().params);
  form.finish();
  store(service,
        {random_uuid(), form.file(), to_text(form.fields()),
         Caller(exchange.request(), service.keys)},
        exchange);
}

}  // namespace imgpress::gateway
