#include "backend/worker/spi_queue.hpp"

#include <algorithm>
#include <utility>

#include "backend/bridge/boundary.hpp"
#include "backend/bridge/sql_values.hpp"
#include "backend/worker/image_rows.hpp"
#include "backend/worker/shared_state.hpp"
#include "backend/worker/worker_transaction.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace imgpress {
namespace {

// Runs a statement; prepares it first if it has not been used yet.
template <typename Statement>
void execute(Statement* statement, const Argument* arguments, int count) {
  SpiArguments spi(arguments, count);
  if (statement->plan == nullptr) {
    SPIPlanPtr plan = SPI_prepare(statement->sql, count, spi.types);
    if (plan == nullptr) {
      elog(ERROR, "cannot prepare \"%s\": %s", statement->sql, SPI_result_code_string(SPI_result));
    }
    SPI_keepplan(plan);
    statement->plan = plan;
  }
  const int result = SPI_execute_plan(statement->plan, spi.values, spi.nulls, false, 0);
  if (result < 0) {
    elog(ERROR, "cannot execute \"%s\": %s", statement->sql, SPI_result_code_string(result));
  }
}

template <typename Statement, int N>
void execute(Statement* statement, const Argument (&arguments)[N]) {
  static_assert(N <= SpiArguments::kMost);
  execute(statement, arguments, N);
}

Datum int8_array(const std::vector<std::int64_t>& values) {
  ArrayArgument array(INT8OID, static_cast<int>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    array.set(static_cast<int>(i), Int64GetDatum(values[i]));
  }
  return array.datum();
}

// NULL means never.
std::optional<Milliseconds> duration_of(const Row& row, const char* column) {
  bool is_null = false;
  const Datum value = row.get(column, &is_null);
  if (is_null) return std::nullopt;
  return Milliseconds(DatumGetInt64(value));
}

// For pg_stat_activity.
const char* activity(const RescueCall&) {
  return "putting back interrupted work";
}
const char* activity(const RenewCall&) {
  return "renewing leases";
}
const char* activity(const ReleaseCall&) {
  return "releasing claims";
}
const char* activity(const FinishCall&) {
  return "finishing images";
}
const char* activity(const FinishDeliveriesCall&) {
  return "finishing webhooks";
}
const char* activity(const HostRulesCall&) {
  return "reading the rules for hosts";
}
const char* activity(const ClaimCall&) {
  return "claiming images";
}
const char* activity(const ClaimDeliveriesCall&) {
  return "claiming webhooks";
}

}  // namespace

void SpiQueue::submit(const Call& call) {
  ended_ = std::visit([&](const auto& c) { return run(c); }, call);
  if (ended_->end != CallEnd::kCommitted) return;
  if (std::holds_alternative<FinishCall>(call)) wake_waiters_now();
  if (std::holds_alternative<RescueCall>(call)) note_rescue();
}

// run_transaction() catches an error of the transaction, so that no frame with a destructor is
// jumped over; a FATAL error ends the process in there.
template <typename C>
Ended SpiQueue::run(const C& call) {
  Ended ended;
  struct Work {
    SpiQueue* queue;
    const C* call;
    typename C::Answer* answer;
  } work{this, &call, &ended.answer.emplace<typename C::Answer>()};
  const auto body = [](void* arg) {
    auto* w = static_cast<Work*>(arg);
    w->queue->carry_out(*w->call, w->answer);
  };
  static Activity kind{activity(call)};
  ended.end = run_transaction(&kind, body, &work);
  return ended;
}

std::optional<Ended> SpiQueue::poll() {
  return std::exchange(ended_, std::nullopt);
}

void SpiQueue::carry_out(const RescueCall& call, RescueAnswer*) {
  execute(&rescue_, {{INT4OID, Int32GetDatum(call.drainer)},
                     {BOOLOID, BoolGetDatum(earlier_worker_was_killed())}});
  const int64 rescued = Row::of_result(0).get_int8("rescued");
  if (rescued == 0) return;
  ereport(LOG, (errmsg("imgpress: %lld images and webhooks that an earlier worker had claimed "
                       "are processed again",
                       static_cast<long long>(rescued))));
}

void SpiQueue::carry_out(const RenewCall& call, RenewAnswer* answer) {
  execute(&renew_, {{INT8ARRAYOID, int8_array(call.tokens)},
                    {INTERVALOID, interval_of_ms(call.lease.count())}});
  answer->rescued = Row::of_result(0).get_int8("rescued") > 0;
  answer->blocked = Row::of_result(0).get_bool("blocked");
}

void SpiQueue::carry_out(const ReleaseCall& call, ReleaseAnswer*) {
  execute(&release_, {{INT8ARRAYOID, int8_array(call.tokens)}});
}

namespace {

// The time between two requests; 0 where the rate is not limited.
std::uint32_t interval_us_of(const Row& row) {
  bool is_null = false;
  const Datum rate = row.get("requests_per_second", &is_null);
  return is_null ? 0 : static_cast<std::uint32_t>(1e6 / DatumGetFloat8(rate));
}

// 0 where their number is not limited.
std::uint32_t connections_of(const Row& row) {
  bool is_null = false;
  const Datum connections = row.get("connections", &is_null);
  return is_null ? 0 : DatumGetUInt32(connections);
}

}  // namespace

void SpiQueue::carry_out(const HostRulesCall&, HostRulesAnswer* answer) {
  execute(&host_rules_, nullptr, 0);
  for (uint64 i = 0; i < SPI_processed; ++i) {
    const Row row = Row::of_result(i);
    const char* host = row.get_text("host");
    const std::uint32_t interval_us = interval_us_of(row);
    const std::uint32_t connections = connections_of(row);
    const bool paused = row.get_bool("paused");
    const auto change = duration_of(row, "changes_in_ms");
    guard([&] { answer->rules.push_back({host, interval_us, connections, paused}); });
    if (change) answer->changes_in = std::min(*change, answer->changes_in.value_or(*change));
  }
}

// ---- images

void SpiQueue::carry_out(const ClaimCall& call, ClaimAnswer* answer) {
  const auto requests = static_cast<int>(call.held.size());
  ArrayArgument ids(UUIDOID, requests);
  ArrayArgument counts(INT4OID, requests);
  for (int i = 0; i < requests; ++i) {
    ids.set(i, uuid_datum(call.held[static_cast<std::size_t>(i)].first));
    counts.set(i, Int32GetDatum(call.held[static_cast<std::size_t>(i)].second));
  }
  execute(&claim_, {{INT4OID, Int32GetDatum(call.drainer)},
                    {INT8OID, Int64GetDatum(call.token)},
                    {INT4OID, Int32GetDatum(call.slots)},
                    {INT4OID, Int32GetDatum(call.retry_slots)},
                    {UUIDARRAYOID, ids.datum()},
                    {INT4ARRAYOID, counts.datum()},
                    {INTERVALOID, interval_of_ms(call.lease.count())},
                    {BOOLOID, BoolGetDatum(call.idle)}});
  const SPITupleTable* rows = SPI_tuptable;
  const uint64 images = SPI_processed - 1;
  for (uint64 i = 0; i < images; ++i) add_claimed({rows->vals[i], rows->tupdesc}, answer);
  const Row outlook(rows->vals[images], rows->tupdesc);
  answer->more = outlook.get_bool("more");
  answer->due_in = duration_of(outlook, "due_in_ms");
  answer->lone_due_in = duration_of(outlook, "lone_due_in_ms");
  answer->delivery_due_in = duration_of(outlook, "delivery_due_in_ms");
}

// DROP and CREATE EXTENSION give the type another OID; the statement is then prepared again.
TupleDesc SpiQueue::outcome_descriptor() {
  const Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("outcome"),
                                   ObjectIdGetDatum(get_namespace_oid("imgpress_internal", false)));
  if (type != outcome_type_ && finish_.plan != nullptr) {
    SPI_freeplan(finish_.plan);
    finish_.plan = nullptr;
  }
  outcome_type_ = type;
  return lookup_rowtype_tupdesc_copy(type, -1);
}

void SpiQueue::carry_out(const FinishCall& call, FinishAnswer* answer) {
  const TupleDesc descriptor = outcome_descriptor();
  const auto count = static_cast<int>(call.images.size());
  ArrayArgument outcomes(outcome_type_, count);
  ArrayArgument outputs(BYTEAOID, count);
  for (int i = 0; i < count; ++i) {
    const FinishedImage& image = call.images[static_cast<std::size_t>(i)];
    log_image(image);
    outcomes.set(i, outcome_of(descriptor, image));
    const bool is_new = image.verdict.kind == Verdict::Kind::kDone && image.blob_id == 0;
    if (is_new) outputs.set(i, output_bytes_of(image));
  }
  execute(&finish_, {{get_array_type(outcome_type_), outcomes.datum()},
                     {BYTEAARRAYOID, outputs.expanded_datum()}});
  const Row finished = Row::of_result(0);
  answer->ended = finished.get_bool("ended");
  const Elements put_off = array_elements(finished, "put_off");
  guard([&] {
    for (int i = 0; i < put_off.count; ++i) {
      answer->put_off.push_back(static_cast<std::size_t>(DatumGetInt32(put_off.values[i]) - 1));
    }
  });
}

// ---- webhooks

void SpiQueue::carry_out(const ClaimDeliveriesCall& call, ClaimDeliveriesAnswer* answer) {
  execute(&claim_deliveries_, {{INT4OID, Int32GetDatum(call.drainer)},
                               {INT8OID, Int64GetDatum(call.token)},
                               {INT4OID, Int32GetDatum(call.slots)},
                               {INTERVALOID, interval_of_ms(call.lease.count())},
                               {INT8ARRAYOID, int8_array(call.held)}});
  const uint64 deliveries = SPI_processed - 1;
  for (uint64 i = 0; i < deliveries; ++i) note_claimed_delivery(Row::of_result(i), answer);
  answer->due_in = duration_of(Row::of_result(deliveries), "due_in_ms");
}

void SpiQueue::note_claimed_delivery(const Row& row, ClaimDeliveriesAnswer* answer) {
  const int64 id = row.get_int8("id");
  const char* url = row.get_text("url");
  const char* payload = row.get_text("payload");
  const Lines headers = lines_of(row, "headers");
  const int16 attempts = row.get_int2("attempts");
  guard([&] {
    answer->deliveries.push_back({id, url, payload, {headers.begin, headers.end}, attempts});
  });
}

void SpiQueue::carry_out(const FinishDeliveriesCall& call, FinishDeliveriesAnswer* answer) {
  for (std::size_t i = 0; i < call.deliveries.size(); ++i) {
    const FinishedDelivery& delivery = call.deliveries[i];
    const bool delivered = delivery.verdict.kind == Verdict::Kind::kDone;
    const bool retried = delivery.verdict.kind == Verdict::Kind::kRetry;
    execute(
        &finish_delivery_,
        {{INT8OID, Int64GetDatum(delivery.id)},
         {INT8OID, Int64GetDatum(delivery.token)},
         {TEXTOID, CStringGetTextDatum(status_word(delivery.verdict, "Delivered"))},
         {INT8OID, Int64GetDatum(delivery.verdict.retry_delay_ms), !retried},
         {INT4OID, Int32GetDatum(delivery.http_status), delivery.http_status == 0},
         {TEXTOID, delivered ? (Datum)0 : CStringGetTextDatum(delivery.error.c_str()), delivered}});
    if (!Row::of_result(0).get_bool("recorded")) guard([&] { answer->put_off.push_back(i); });
  }
}

}  // namespace imgpress
