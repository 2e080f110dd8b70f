#include "database.hpp"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace imgpress::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kSessionTime = seconds(5);
constexpr std::size_t kPipelined = 32;  // statements in one round trip

// Short statements take less than a second: after ten, one is waiting for a lock or a failing disk,
// and its client has gone. Uploads and long answers lift this limit for their transaction.
constexpr const char* kSession = "SET statement_timeout = '10s'";

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left + 1, 0, 3600 * 1000));
}

bool is_shutdown(std::string_view sqlstate) {
  return sqlstate.substr(0, 2) == "08" || sqlstate.substr(0, 4) == "57P0";
}

// The server no longer accepts a prepared statement, for example after an upgrade of the extension
// or DISCARD ALL: a fresh connection prepares it again.
bool is_outdated_statement(std::string_view sqlstate) {
  return sqlstate == "26000" || sqlstate == "0A000";
}

}  // namespace

std::string_view Result::value(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Connection::Connection(const std::string& conninfo) {
  // Defaults come before dbname: the connection string in dbname overrides them.
  const char* names[] = {"application_name", "connect_timeout", "keepalives_idle",
                         "dbname",           "client_encoding", nullptr};
  const char* values[] = {"imgpress-gateway", "3", "60", conninfo.c_str(), "UTF8", nullptr};
  connection_.reset(PQconnectdbParams(names, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw DatabaseUnavailable(PQerrorMessage(connection_.get()));
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  PQsetnonblocking(connection_.get(), 1);
  execute(kSession, within(kSessionTime));
}

Result Connection::execute(const char* sql, Deadline deadline) {
  sent(PQsendQuery(connection_.get(), sql));
  return collect(deadline);
}

Result Connection::query(const Statement& statement, Parameters parameters, Deadline deadline) {
  prepare(statement, deadline);
  sent(PQsendQueryPrepared(connection_.get(), statement.name, static_cast<int>(parameters.size()),
                           parameters.begin(), nullptr, nullptr,
                           static_cast<int>(statement.format)));
  return collect(deadline);
}

std::vector<Outcome> Connection::query_each(const Statement& statement,
                                            const std::vector<std::string>& values,
                                            Deadline deadline) {
  prepare(statement, deadline);
  std::vector<Outcome> outcomes;
  outcomes.reserve(values.size());
  while (outcomes.size() < values.size()) {
    const std::size_t done = outcomes.size();
    start_pipeline(statement, &values[done], std::min(values.size() - done, kPipelined));
    read_pipeline(outcomes, deadline);
  }
  return outcomes;
}

void Connection::start_pipeline(const Statement& statement, const std::string* values,
                                std::size_t count) {
  sent(PQenterPipelineMode(connection_.get()));
  for (std::size_t i = 0; i < count; ++i) {
    const char* value = values[i].c_str();
    sent(PQsendQueryPrepared(connection_.get(), statement.name, 1, &value, nullptr, nullptr,
                             static_cast<int>(statement.format)));
  }
  sent(PQpipelineSync(connection_.get()));
}

// PostgreSQL skips the statements after one that failed: they get no outcome here.
void Connection::read_pipeline(std::vector<Outcome>& outcomes, Deadline deadline) {
  for (;;) {
    Result result = next_result(deadline);
    switch (PQresultStatus(result.result_.get())) {
      case PGRES_PIPELINE_SYNC:
        return sent(PQexitPipelineMode(connection_.get()));
      case PGRES_TUPLES_OK:
        outcomes.emplace_back(std::move(result));
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      default:
        outcomes.emplace_back(error_of(result.result_.get()));
    }
    next_result(deadline);  // the end of this statement
  }
}

void Connection::prepare(const Statement& statement, Deadline deadline) {
  if (prepared_.count(&statement) != 0) return;
  sent(PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr));
  collect(deadline);
  prepared_.insert(&statement);
}

void Connection::start_rows(const char* sql, Parameters parameters, Deadline deadline) {
  sent(PQsendQueryParams(connection_.get(), sql, static_cast<int>(parameters.size()), nullptr,
                         parameters.begin(), nullptr, nullptr, 0));
  PQsetSingleRowMode(connection_.get());
  flush(deadline);
}

std::optional<Result> Connection::next_row(Deadline deadline) {
  Result result = next_result(deadline);
  switch (PQresultStatus(result.result_.get())) {
    case PGRES_SINGLE_TUPLE:
      return result;
    case PGRES_TUPLES_OK:  // the end: it has no rows
      drain(deadline);
      return std::nullopt;
    default:
      drain(deadline);
      fail(result.result_.get());
  }
}

void Connection::copy_begin(const char* sql, Deadline deadline) {
  sent(PQsendQuery(connection_.get(), sql));
  const Result result = next_result(deadline);
  if (PQresultStatus(result.result_.get()) == PGRES_COPY_IN) return;
  drain(deadline);
  fail(result.result_.get());
}

void Connection::copy_write(std::string_view bytes, Deadline deadline) {
  if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
    lost(PQerrorMessage(connection_.get()));
  }
  flush(deadline);  // or libpq would collect the bytes in memory
}

void Connection::copy_end(Deadline deadline) {
  if (PQputCopyEnd(connection_.get(), nullptr) != 1) lost(PQerrorMessage(connection_.get()));
  collect(deadline);
}

void Connection::copy_abort(Deadline deadline) {
  if (PQputCopyEnd(connection_.get(), "the upload was abandoned") != 1) {
    lost(PQerrorMessage(connection_.get()));
  }
  flush(deadline);
  drain(deadline);
}

bool Connection::ready() const {
  const PGTransactionStatusType status = PQtransactionStatus(connection_.get());
  return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK && status != PQTRANS_ACTIVE &&
         status != PQTRANS_UNKNOWN;
}

bool Connection::in_transaction() const {
  return PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
}

bool Connection::stale() {
  pollfd readable{PQsocket(connection_.get()), POLLIN, 0};
  // The server sends nothing on an idle connection, except that it ends (or that a setting
  // changed).
  while (::poll(&readable, 1, 0) > 0) {
    if (PQconsumeInput(connection_.get()) == 0) return true;
  }
  return !ready();
}

void Connection::sent(int ok) {
  if (ok != 1) lost(PQerrorMessage(connection_.get()));
}

// Sends libpq's output, and reads what the server sends meanwhile: if both sides only wrote, they
// would wait for each other for ever.
void Connection::flush(Deadline deadline) {
  for (int left = PQflush(connection_.get()); left != 0; left = PQflush(connection_.get())) {
    if (left < 0) lost(PQerrorMessage(connection_.get()));
    wait(POLLIN | POLLOUT, deadline);
    if (PQconsumeInput(connection_.get()) == 0) lost(PQerrorMessage(connection_.get()));
  }
}

void Connection::wait(short events, Deadline deadline) {
  pollfd socket{PQsocket(connection_.get()), events, 0};
  if (socket.fd < 0) lost(PQerrorMessage(connection_.get()));
  while (::poll(&socket, 1, milliseconds_until(deadline)) <= 0) {
    if (Clock::now() < deadline) continue;  // interrupted
    broken_ = true;
    throw DatabaseUnavailable("PostgreSQL did not answer in time");
  }
}

// The next result of the running statement; empty at its end.
Result Connection::next_result(Deadline deadline) {
  flush(deadline);
  while (PQisBusy(connection_.get()) == 1) {
    wait(POLLIN, deadline);
    if (PQconsumeInput(connection_.get()) == 0) lost(PQerrorMessage(connection_.get()));
  }
  return Result(PQgetResult(connection_.get()));
}

// Reads a statement to its end; returns its last result or throws its error.
Result Connection::collect(Deadline deadline) {
  Result last(nullptr);
  for (Result next = next_result(deadline); next.result_; next = next_result(deadline)) {
    const ExecStatusType status = PQresultStatus(next.result_.get());
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    last = std::move(next);
    if (good) continue;
    drain(deadline);
    break;
  }
  const ExecStatusType status = PQresultStatus(last.result_.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(last.result_.get());
  return last;
}

void Connection::drain(Deadline deadline) {
  while (next_result(deadline).result_) {
  }
}

void Connection::fail(const PGresult* result) {
  throw error_of(result);
}

// Throws ConnectionLost if the connection cannot be used any more.
DatabaseError Connection::error_of(const PGresult* result) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (sqlstate == nullptr || PQstatus(connection_.get()) != CONNECTION_OK ||
      is_shutdown(sqlstate) || is_outdated_statement(sqlstate)) {
    lost(message != nullptr ? message : PQerrorMessage(connection_.get()));
  }
  const char* hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
  return DatabaseError(sqlstate, message != nullptr ? message : "", hint != nullptr ? hint : "");
}

void Connection::lost(const std::string& reason) {
  broken_ = true;
  throw ConnectionLost(reason);
}

}  // namespace imgpress::gateway
