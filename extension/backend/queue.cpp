#include "backend/queue.hpp"

#include "channel/sealed_memory.hpp"

#include "backend/boundary.hpp"
#include "backend/compat.hpp"

namespace imgpress {
namespace {

// The statements name the schema of everything, operators too: what they mean must not depend on a
// search path alone.

constexpr int kCopiesAtOnce = 64;  // each may be the storing of some megabytes

// Prepares a statement at its first use; the plan lasts as long as the process.
void execute(SPIPlanPtr* plan, const char* sql, int count, Oid* types, Datum* values,
             const char* nulls = nullptr) {
  if (*plan == nullptr) {
    SPIPlanPtr prepared = SPI_prepare(sql, count, types);
    if (prepared == nullptr) {
      elog(ERROR, "cannot prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
    }
    SPI_keepplan(prepared);
    *plan = prepared;
  }
  const int result = SPI_execute_plan(*plan, values, nulls, false, 0);
  if (result < 0) elog(ERROR, "cannot execute \"%s\": %s", sql, SPI_result_code_string(result));
}

Datum field(int row, int column, bool* is_null) {
  return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, is_null);
}

Datum field(int row, int column) {
  bool is_null = false;
  return field(row, column, &is_null);
}

// A text column; the copy lives in the SPI memory.
const char* text_field(int row, int column) {
  return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

struct ElementType {
  Oid type;
  int length;
  bool by_value;
  char alignment;
};
constexpr ElementType kInt2 = {INT2OID, 2, true, TYPALIGN_SHORT};
constexpr ElementType kInt4 = {INT4OID, 4, true, TYPALIGN_INT};
constexpr ElementType kInt8 = {INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};
constexpr ElementType kBool = {BOOLOID, 1, true, TYPALIGN_CHAR};
constexpr ElementType kUuid = {UUIDOID, UUID_LEN, false, TYPALIGN_CHAR};
constexpr ElementType kText = {TEXTOID, -1, false, TYPALIGN_INT};

// One array argument, filled element by element.
class ArrayArgument {
 public:
  ArrayArgument(const ElementType& type, int size)
      : type_(type),
        values_(static_cast<Datum*>(palloc0(sizeof(Datum) * Max(size, 1)))),
        nulls_(static_cast<bool*>(palloc0(sizeof(bool) * Max(size, 1)))),
        size_(size) {}
  void set(int i, Datum value) { values_[i] = value; }
  void set_null(int i) { nulls_[i] = true; }
  void set_text(int i, const char* text) {
    if (text == nullptr) {
      set_null(i);
    } else {
      set(i, CStringGetTextDatum(text));
    }
  }
  Datum datum() const {
    int lower_bound = 1;
    int size = size_;
    ArrayType* array = size == 0
                           ? construct_empty_array(type_.type)
                           : construct_md_array(values_, nulls_, 1, &size, &lower_bound, type_.type,
                                                type_.length, type_.by_value, type_.alignment);
    return PointerGetDatum(array);
  }

 private:
  ElementType type_;
  Datum* values_;
  bool* nulls_;
  int size_;
};
static_assert(std::is_trivially_destructible_v<ArrayArgument>);

Datum int8_array(const std::vector<std::int64_t>& values) {
  const auto count = static_cast<int>(values.size());
  ArrayArgument array(kInt8, count);
  for (int i = 0; i < count; ++i) array.set(i, Int64GetDatum(values[static_cast<size_t>(i)]));
  return array.datum();
}

Datum milliseconds_interval(int milliseconds) {
  auto* span = static_cast<Interval*>(palloc0(sizeof(Interval)));
  span->time = static_cast<TimeOffset>(milliseconds) * 1000;
  return IntervalPGetDatum(span);
}

Datum uuid_datum(const RequestId& id) {
  return UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(id.data()));
}

const char* status_word(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::kDone:
      return "Completed";
    case Verdict::Kind::kRetry:
      return "Pending";
    case Verdict::Kind::kSetAside:
      break;
  }
  return "Failed";
}

}  // namespace

ClaimedImages Queue::claim_images(int64 token, int slots, int retry_slots, const HeldCounts& held,
                                  int lease_ms) {
  ArrayArgument ids(kUuid, held.size);
  ArrayArgument counts(kInt4, held.size);
  for (int i = 0; i < held.size; ++i) {
    ids.set(i, UUIDPGetDatum(&held.request_ids[i]));
    counts.set(i, Int32GetDatum(held.counts[i]));
  }
  Oid types[] = {INT8OID, INT4OID, INT4OID, UUIDARRAYOID, INT4ARRAYOID, INTERVALOID};
  Datum values[] = {Int64GetDatum(token), Int32GetDatum(slots), Int32GetDatum(retry_slots),
                    ids.datum(),          counts.datum(),       milliseconds_interval(lease_ms)};
  execute(&claim_images_, "SELECT * FROM imgpress.claim_images($1, $2, $3, $4, $5, $6)", 6, types,
          values);
  const int count = static_cast<int>(SPI_processed);
  auto* images = static_cast<ClaimedImage*>(palloc0(sizeof(ClaimedImage) * Max(count, 1)));
  for (int i = 0; i < count; ++i) {
    images[i].request_id = *DatumGetUUIDP(field(i, 1));
    images[i].position = DatumGetInt32(field(i, 2));
    images[i].url = text_field(i, 3);
    images[i].quality = DatumGetInt16(field(i, 4));
    images[i].attempts = DatumGetInt16(field(i, 5));
    images[i].failed_attempts = DatumGetInt16(field(i, 6));
    images[i].codec_crashes = DatumGetInt16(field(i, 7));
    images[i].effort = text_field(i, 8);
  }
  return {images, count};
}

ClaimedDeliveries Queue::claim_deliveries(int64 token, int slots, int lease_ms) {
  Oid types[] = {INT8OID, INT4OID, INTERVALOID};
  Datum values[] = {Int64GetDatum(token), Int32GetDatum(slots), milliseconds_interval(lease_ms)};
  execute(&claim_deliveries_, "SELECT * FROM imgpress.claim_deliveries($1, $2, $3)", 3, types,
          values);
  const int count = static_cast<int>(SPI_processed);
  auto* all = static_cast<ClaimedDelivery*>(palloc0(sizeof(ClaimedDelivery) * Max(count, 1)));
  for (int i = 0; i < count; ++i) {
    all[i].id = DatumGetInt64(field(i, 1));
    all[i].url = text_field(i, 2);
    all[i].payload = text_field(i, 3);
    Datum* headers = nullptr;
    bool* nulls = nullptr;
    deconstruct_array(DatumGetArrayTypeP(field(i, 4)), TEXTOID, -1, false, TYPALIGN_INT, &headers,
                      &nulls, &all[i].header_count);
    all[i].headers = static_cast<const char**>(palloc(sizeof(char*) * Max(all[i].header_count, 1)));
    for (int k = 0; k < all[i].header_count; ++k) {
      all[i].headers[k] = TextDatumGetCString(headers[k]);
    }
  }
  return {all, count};
}

FinishedBatch Queue::finish_images(FinishedImage* images, int count) {
  ArrayArgument tokens(kInt8, count), ids(kUuid, count), positions(kInt4, count);
  ArrayArgument statuses(kText, count), delays(kInt8, count), failed(kInt2, count);
  ArrayArgument crashes(kInt2, count), codes(kText, count), errors(kText, count);
  ArrayArgument source_sizes(kInt8, count), output_sizes(kInt8, count), transients(kBool, count);
  for (int i = 0; i < count; ++i) {
    const FinishedImage& image = images[i];
    tokens.set(i, Int64GetDatum(image.held.token));
    ids.set(i, uuid_datum(image.held.request_id));
    positions.set(i, Int32GetDatum(image.held.position));
    statuses.set_text(i, status_word(image.verdict.kind));
    if (image.verdict.kind == Verdict::Kind::kRetry) {
      delays.set(i, Int64GetDatum(image.verdict.retry_delay_ms));
    } else {
      delays.set_null(i);
    }
    failed.set(i, Int16GetDatum(static_cast<int16>(image.verdict.failed_attempts)));
    crashes.set(i, Int16GetDatum(static_cast<int16>(image.verdict.codec_crashes)));
    transients.set(i, BoolGetDatum(image.verdict.transient));
    codes.set_text(i, image.error_code);
    errors.set_text(i, image.error);
    source_sizes.set(i, Int64GetDatum(image.source_bytes));
    output_sizes.set(i, Int64GetDatum(image.output_bytes));
  }
  Oid types[] = {INT8ARRAYOID, UUIDARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
                 INT8ARRAYOID, INT2ARRAYOID, INT2ARRAYOID, BOOLARRAYOID,
                 TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID};
  Datum values[] = {tokens.datum(), ids.datum(),    positions.datum(),    statuses.datum(),
                    delays.datum(), failed.datum(), crashes.datum(),      transients.datum(),
                    codes.datum(),  errors.datum(), source_sizes.datum(), output_sizes.datum()};
  execute(&finish_images_,
          "SELECT * FROM imgpress.finish_images($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
          12, types, values);
  const int answered = static_cast<int>(SPI_processed);
  SPITupleTable* rows = SPI_tuptable;
  FinishedBatch batch{false, false};
  for (int i = 0; i < answered; ++i) {
    bool is_null = false;
    const Datum number = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null);
    const Datum stored = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &is_null);
    batch.copied = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &is_null));
    batch.ended = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 4, &is_null));
    FinishedImage& image = images[DatumGetInt32(number) - 1];
    image.put_off = !DatumGetBool(stored);
    if (!image.put_off && image.output_fd >= 0) store_output(image);
  }
  return batch;
}

EndedCopies Queue::end_copies(const pg_uuid_t& after) {
  Oid types[] = {INT4OID, UUIDOID};
  Datum values[] = {Int32GetDatum(kCopiesAtOnce), UUIDPGetDatum(&after)};
  execute(&end_copies_, "SELECT * FROM imgpress.end_copies($1, $2)", 2, types, values);
  bool is_null = false;
  const Datum served = field(0, 3, &is_null);
  return {DatumGetInt32(field(0, 1)), DatumGetBool(field(0, 2)),
          is_null ? after : *DatumGetUUIDP(served)};
}

void Queue::store_output(const FinishedImage& image) {
  const auto size = static_cast<std::size_t>(image.output_bytes);
  auto* bytes = static_cast<bytea*>(palloc(VARHDRSZ + size));
  SET_VARSIZE(bytes, VARHDRSZ + size);
  guard([&] { read_sealed(image.output_fd, VARDATA(bytes), size); });
  // A token belongs to one claim and is random: with the position it names these bytes for ever.
  char* etag = psprintf("%016llx-%d", static_cast<unsigned long long>(image.held.token),
                        image.held.position);
  Oid types[] = {UUIDOID, INT4OID, TEXTOID, TEXTOID, INT4OID,
                 INT4OID, INT4OID, BOOLOID, TEXTOID, BYTEAOID};
  Datum values[] = {uuid_datum(image.held.request_id),
                    Int32GetDatum(image.held.position),
                    CStringGetTextDatum(image.content_type),
                    CStringGetTextDatum(etag),
                    Int32GetDatum(image.width),
                    Int32GetDatum(image.height),
                    Int32GetDatum(static_cast<int32>(image.source_bytes)),
                    BoolGetDatum(image.kept_source),
                    image.warning != nullptr ? CStringGetTextDatum(image.warning) : (Datum)0,
                    PointerGetDatum(bytes)};
  char nulls[] = "          ";
  if (image.warning == nullptr) nulls[8] = 'n';
  execute(&store_output_,
          "INSERT INTO imgpress.outputs (request_id, position, content_type, etag, width, height, "
          "source_bytes, kept_source, warning, bytes) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
          10, types, values, nulls);
  pfree(bytes);
}

void Queue::finish_delivery(const DeliveryResult& result, const char* retry_delays) {
  Oid types[] = {INT8OID, INT8OID, INT4OID, TEXTOID, INT4OID, TEXTOID};
  Datum values[] = {Int64GetDatum(result.id),
                    Int64GetDatum(result.token),
                    Int32GetDatum(result.http_status),
                    result.error != nullptr ? CStringGetTextDatum(result.error) : (Datum)0,
                    Int32GetDatum(result.retry_after_seconds),
                    CStringGetTextDatum(retry_delays)};
  const char nulls[] = {' ', ' ', ' ', result.error != nullptr ? ' ' : 'n', ' ', ' ', '\0'};
  execute(&finish_delivery_,
          "SELECT imgpress.finish_delivery($1, $2, $3, $4, $5, "
          "pg_catalog.string_to_array($6, ',')::double precision[])",
          6, types, values, nulls);
}

void Queue::end_leases(const std::vector<std::int64_t>& tokens) {
  Oid types[] = {INT8ARRAYOID};
  Datum values[] = {int8_array(tokens)};
  execute(&end_leases_, "DELETE FROM imgpress.leases WHERE token OPERATOR(pg_catalog.=) ANY ($1)",
          1, types, values);
}

void Queue::renew_leases(const std::vector<std::int64_t>& tokens, int lease_ms) {
  Oid types[] = {INT8ARRAYOID, INTERVALOID};
  Datum values[] = {int8_array(tokens), milliseconds_interval(lease_ms)};
  execute(&renew_leases_, "SELECT imgpress.renew_leases($1, $2)", 2, types, values);
}

int64 Queue::rescue(bool expired_only) {
  SPI_execute(
      expired_only ? "SELECT imgpress.rescue_leases(true)" : "SELECT imgpress.rescue_leases(false)",
      false, 1);
  return DatumGetInt64(field(0, 1));
}

void Queue::rescue_deliveries() {
  SPI_execute("SELECT imgpress.rescue_deliveries()", false, 1);
}

NextDue Queue::next_due() {
  execute(&next_due_, "SELECT * FROM imgpress.next_due()", 0, nullptr, nullptr);
  bool is_null = false;
  const Datum due = field(0, 1, &is_null);
  return {is_null ? DT_NOEND : DatumGetTimestampTz(due), DatumGetBool(field(0, 2)),
          DatumGetBool(field(0, 3))};
}

}  // namespace imgpress
