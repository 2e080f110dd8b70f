#include "backend/worker/image_rows.hpp"

#include <cstring>

#include "channel/sealed_memory.hpp"

#include "backend/bridge/boundary.hpp"
#include "backend/image_options.hpp"

namespace imgpress {
namespace {

void copy_uuid(RequestId* target, const pg_uuid_t* source) {
  std::memcpy(target->data(), source->data, UUID_LEN);
}

// A value that may be NULL.
struct Bytes {
  const char* data = "";
  std::size_t size = 0;
};
Bytes bytes_or_none(const Row& row, const char* column) {
  bool is_null = false;
  const Datum value = row.get(column, &is_null);
  if (is_null) return {};
  const bytea* bytes = DatumGetByteaPP(value);
  return {VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
}
int64 int8_or_zero(const Row& row, const char* column) {
  bool is_null = false;
  const Datum value = row.get(column, &is_null);
  return is_null ? 0 : DatumGetInt64(value);
}
const char* text_or_empty(const Row& row, const char* column) {
  bool is_null = false;
  const Datum value = row.get(column, &is_null);
  return is_null ? "" : TextDatumGetCString(value);
}

Datum bytea_datum(const std::string& bytes) {
  auto* value = static_cast<bytea*>(palloc(VARHDRSZ + bytes.size()));
  SET_VARSIZE(value, VARHDRSZ + bytes.size());
  std::memcpy(VARDATA(value), bytes.data(), bytes.size());
  return PointerGetDatum(value);
}

// What was downloaded, if anything was.
void set_source(CompositeArgument* outcome, const FinishedImage& image) {
  if (image.source.digest.empty() || image.source_key.empty()) return;
  const Validators& validators = image.source.validators;
  outcome->set("source_key", bytea_datum(image.source_key));
  outcome->set("source_digest", bytea_datum(image.source.digest));
  if (!validators.etag.empty()) outcome->set_text("source_etag", validators.etag.c_str());
  if (!validators.last_modified.empty()) {
    outcome->set_text("last_modified", validators.last_modified.c_str());
  }
}

}  // namespace

Datum uuid_datum(const RequestId& id) {
  return UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(id.data()));
}

const char* status_word(const Verdict& verdict, const char* done) {
  switch (verdict.kind) {
    case Verdict::Kind::kDone:
      return done;
    case Verdict::Kind::kRetry:
      return "Pending";
    case Verdict::Kind::kGivenUp:
      break;
  }
  return "Failed";
}

void add_claimed(const Row& row, ClaimAnswer* answer) {
  const char* url = row.get_text("url");
  const pg_uuid_t* request = row.get_uuid("request_id");
  const int32 image_no = row.get_int4("image_no");
  const ImageOptions options = options_of_json(row.get("options"), UnknownOption::kIgnore);
  const Bytes source_key = bytes_or_none(row, "source_key");
  const int64 blob_id = int8_or_zero(row, "blob_id");
  const Bytes digest = bytes_or_none(row, "source_digest");
  const char* etag = text_or_empty(row, "source_etag");
  const char* last_modified = text_or_empty(row, "last_modified");
  const Lines headers = lines_of(row, "headers");
  const AttemptHistory history{row.get_int2("attempts"), row.get_int2("failed_attempts"),
                               row.get_int2("codec_crashes"), row.get_int2("interruptions"),
                               row.get_bool("alone")};
  guard([&] {
    ClaimedImage& image = answer->images.emplace_back();
    copy_uuid(&image.request_id, request);
    image.image_no = image_no;
    image.url = url;
    image.options = options;
    image.history = history;
    image.source_key.assign(source_key.data, source_key.size);
    image.known = {blob_id, {{digest.data, digest.size}, {etag, last_modified}}};
    image.headers.assign(headers.begin, headers.end);
  });
}

Datum outcome_of(TupleDesc descriptor, const FinishedImage& image) {
  CompositeArgument outcome(descriptor);
  outcome.set("token", Int64GetDatum(image.token));
  outcome.set("request_id", uuid_datum(image.request_id));
  outcome.set("image_no", Int32GetDatum(image.image_no));
  outcome.set_text("status", status_word(image.verdict, "Completed"));
  outcome.set("failed_attempts", Int16GetDatum(static_cast<int16>(image.verdict.failed_attempts)));
  outcome.set("codec_crashes", Int16GetDatum(static_cast<int16>(image.verdict.codec_crashes)));
  outcome.set("interruptions", Int16GetDatum(static_cast<int16>(image.verdict.interruptions)));
  outcome.set("transient", BoolGetDatum(image.verdict.transient));
  outcome.set("uncounted", BoolGetDatum(!image.verdict.counted));
  if (image.http_status != 0) outcome.set("http_status", Int32GetDatum(image.http_status));
  if (image.verdict.kind == Verdict::Kind::kRetry) {
    outcome.set("retry_delay_ms", Int64GetDatum(image.verdict.retry_delay_ms));
  }
  if (image.verdict.kind != Verdict::Kind::kDone) {
    outcome.set_text("error_code", image.error_code);
    outcome.set_text("error", image.error.c_str());
    return outcome.datum();
  }
  set_source(&outcome, image);
  if (image.blob_id != 0) {
    outcome.set("blob_id", Int64GetDatum(image.blob_id));
    return outcome.datum();
  }
  outcome.set("source_bytes", Int32GetDatum(static_cast<int32>(image.source_bytes)));
  outcome.set_text("output_format", info_of(image.format).name);
  outcome.set_text("content_type", info_of(image.format).media_type);
  outcome.set_text("etag", image.digest.c_str());
  outcome.set("width", Int32GetDatum(static_cast<int32>(image.width)));
  outcome.set("height", Int32GetDatum(static_cast<int32>(image.height)));
  outcome.set("kept_source", BoolGetDatum(image.kept_source));
  outcome.set_text("warning", image.warning.empty() ? nullptr : image.warning.c_str());
  return outcome.datum();
}

Datum output_bytes_of(const FinishedImage& image) {
  const auto size = static_cast<std::size_t>(image.output_bytes);
  auto* bytes = static_cast<bytea*>(palloc(VARHDRSZ + size));
  SET_VARSIZE(bytes, VARHDRSZ + size);
  guard([&] { read_sealed(image.output.get(), VARDATA(bytes), size); });
  return PointerGetDatum(bytes);
}

void log_image(const FinishedImage& image) {
  if (!message_level_is_interesting(DEBUG1)) return;
  const char* request =
      DatumGetCString(DirectFunctionCall1(uuid_out, uuid_datum(image.request_id)));
  if (image.blob_id != 0) {
    ereport(DEBUG1, (errmsg_internal("imgpress: image %d of request %s: has not changed",
                                     image.image_no, request)));
  } else if (image.verdict.kind == Verdict::Kind::kDone) {
    ereport(DEBUG1, (errmsg_internal("imgpress: image %d of request %s: %llu bytes became %llu",
                                     image.image_no, request,
                                     static_cast<unsigned long long>(image.source_bytes),
                                     static_cast<unsigned long long>(image.output_bytes))));
  } else {
    ereport(DEBUG1, (errmsg_internal("imgpress: image %d of request %s: %s, %s: %s", image.image_no,
                                     request, status_word(image.verdict, ""), image.error_code,
                                     image.error.c_str())));
  }
}

}  // namespace imgpress
