#include "upload_transaction.hpp"

#include "answers.hpp"
#include "copy_encoding.hpp"
#include "http_status.hpp"
#include "queries.hpp"

namespace imgpress::gateway {
namespace {

constexpr std::size_t kPartBytes = 128 * 1024;
constexpr auto kCopyTime = std::chrono::seconds(30);
constexpr auto kAbortTime = std::chrono::seconds(5);
constexpr auto kSubmitTime = std::chrono::minutes(11);  // longer than PostgreSQL's own limit

// The COPY lasts as long as the client sends: the limits on the body apply instead.
constexpr const char* kBegin =
    "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_catalog.gen_random_uuid()";
constexpr const char* kCopy =
    "COPY imgpress_internal.upload_parts (upload_id, part_no, bytes) FROM STDIN (FORMAT binary)";
constexpr const char* kSavepoint = "SET LOCAL statement_timeout = '10min'; SAVEPOINT submission";
constexpr Statement kSubmit{
    "submit",
    "SELECT request_id, pg_catalog.to_json(ignored_columns), pg_catalog.to_json(ignored_fields) "
    "FROM imgpress_internal.submit_upload($1::pg_catalog.uuid, $2::pg_catalog.jsonb)"};
constexpr const char* kToSavepoint = "ROLLBACK TO submission";
constexpr const char* kFaults =
    "SELECT line, \"column\", message FROM imgpress_internal.upload_faults($1::pg_catalog.uuid) "
    "ORDER BY line";

void write_fault(const Result& row, std::string& out) {
  // A fault of the whole file has no line or column.
  const auto text = [&](int column) {
    return row.is_null(0, column) ? Json() : Json(std::string(row.value(0, column)));
  };
  const auto line = row.is_null(0, 0) ? Json() : Json(std::stoi(std::string(row.value(0, 0))));
  out += to_text(Json{{"line", line}, {"column", text(1)}, {"message", text(2)}});
}

}  // namespace

UploadTransaction::~UploadTransaction() {
  abandon();
}

void UploadTransaction::begin() {
  with_connection(pool_, Use::kLong, within(kConnectionWait), [this](Lease& lease) {
    upload_id_ = lease->execute(kBegin, within(kQueryTime)).value(0, 0);
    lease->copy_begin(kCopy, within(kQueryTime));
    lease_.emplace(std::move(lease));
  });
  copying_ = true;
  (*lease_)->copy_write(copy_header(), within(kCopyTime));
}

void UploadTransaction::write(std::string_view bytes) {
  part_.append(bytes);
  if (part_.size() >= kPartBytes) send_part();
}

void UploadTransaction::send_part() {
  (*lease_)->copy_write(copy_row_head(upload_id_, part_number_++, part_.size()), within(kCopyTime));
  (*lease_)->copy_write(part_, within(kCopyTime));
  part_.clear();
}

UploadTransaction::Outcome UploadTransaction::submit(const Json& fields) {
  // An empty file is sent as one empty part, so that PostgreSQL reports its fault.
  if (!part_.empty() || part_number_ == 0) send_part();
  (*lease_)->copy_write(copy_trailer(), within(kCopyTime));
  copying_ = false;
  (*lease_)->copy_end(within(kSubmitTime));
  (*lease_)->execute(kSavepoint, within(kQueryTime));
  try {
    const std::string given = to_text(fields);
    const Result result =
        (*lease_)->query(kSubmit, {upload_id_.c_str(), given.c_str()}, within(kSubmitTime));
    Outcome outcome;
    outcome.request_id = result.value(0, 0);
    outcome.ignored_columns = result.value(0, 1);
    outcome.ignored_fields = result.value(0, 2);
    (*lease_)->execute("COMMIT", within(kSubmitTime));
    lease_.reset();
    return outcome;
  } catch (const DatabaseError& error) {
    if (error.sqlstate() != kCsvFaults) throw;
    return {"", "", "", open_faults(error.what())};
  }
}

// The parts are still there after the rollback to the savepoint. They vanish when the stream
// returns its lease.
std::shared_ptr<RowStream> UploadTransaction::open_faults(const std::string& message) {
  (*lease_)->execute(kToSavepoint, within(kQueryTime));
  (*lease_)->start_rows(kFaults, {upload_id_.c_str()}, within(kQueryTime));
  const std::string head = to_text(Json{{"error", message}});
  auto faults = std::make_shared<RowStream>(
      std::move(*lease_), head.substr(0, head.size() - 1) + ",\"details\":[", write_fault, "]}");
  lease_.reset();
  return faults;
}

void UploadTransaction::abandon() noexcept {
  if (!lease_) return;
  try {
    if (copying_) (*lease_)->copy_abort(within(kAbortTime));
  } catch (const std::exception&) {
    // The pool will close the broken connection, which rolls back as well.
  }
  copying_ = false;
  lease_.reset();
}

}  // namespace imgpress::gateway
