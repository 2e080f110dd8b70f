#include "database/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace imgpress::gateway {
namespace {

int milliseconds_until(Deadline deadline) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left + 1, 0, 3600L * 1000));
}

// Also what a pooler says when it has lost its server.
bool is_shutdown(std::string_view sqlstate) {
  return sqlstate.substr(0, 2) == "08" || sqlstate.substr(0, 4) == "57P0";
}

}  // namespace

std::string_view Result::value(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

void check_conninfo(const std::string& conninfo) {
  // As libpq tells them from the name of a database.
  const bool is_uri =
      conninfo.rfind("postgres://", 0) == 0 || conninfo.rfind("postgresql://", 0) == 0;
  if (!is_uri && conninfo.find('=') == conninfo.npos) return;
  char* reason = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(conninfo.c_str(), &reason), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(reason, &PQfreemem);
  if (parsed) return;
  throw std::runtime_error(std::string("--database: ") + (reason ? reason : "out of memory"));
}

OpenConnection open_connection(const std::string& conninfo) {
  // Defaults come before dbname: the connection string in dbname overrides them.
  const char* names[] = {"application_name", "connect_timeout", "keepalives_idle",
                         "dbname",           "client_encoding", nullptr};
  const char* values[] = {"imgpress-gateway", "3", "60", conninfo.c_str(), "UTF8", nullptr};
  return OpenConnection(PQconnectdbParams(names, values, 1));
}

Connection::Connection(const std::string& conninfo) : connection_(open_connection(conninfo)) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw DatabaseUnavailable(PQerrorMessage(connection_.get()));
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  PQsetnonblocking(connection_.get(), 1);
}

Result Connection::execute(const char* sql, Deadline deadline) {
  sent(PQsendQuery(connection_.get(), sql));
  return collect(deadline);
}

Result Connection::query(const char* sql, const Parameters& parameters, Deadline deadline,
                         ValueFormat format) {
  send(sql, parameters, format);
  return collect(deadline);
}

// Not as a named prepared statement: a pooler would run it on a connection that does not know it.
void Connection::send(const char* sql, const Parameters& parameters, ValueFormat format) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const Parameter& parameter : parameters) {
    values.push_back(parameter.value.data());
    lengths.push_back(static_cast<int>(parameter.value.size()));
    formats.push_back(static_cast<int>(parameter.format));
  }
  sent(PQsendQueryParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                         values.data(), lengths.data(), formats.data(), static_cast<int>(format)));
}

void Connection::start_rows(const char* sql, const Parameters& parameters, Deadline deadline) {
  send(sql, parameters, ValueFormat::kText);
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

bool Connection::ready() const {
  const PGTransactionStatusType status = PQtransactionStatus(connection_.get());
  return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK && status != PQTRANS_ACTIVE &&
         status != PQTRANS_UNKNOWN;
}

bool Connection::in_transaction() const {
  return PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
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

// Throws ConnectionLost if the connection cannot be used any more.
void Connection::fail(const PGresult* result) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (sqlstate == nullptr || PQstatus(connection_.get()) != CONNECTION_OK ||
      is_shutdown(sqlstate)) {
    lost(message != nullptr ? message : PQerrorMessage(connection_.get()));
  }
  const char* hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
  throw DatabaseError(sqlstate, message != nullptr ? message : "", hint != nullptr ? hint : "");
}

void Connection::lost(const std::string& reason) {
  broken_ = true;
  throw ConnectionLost(reason);
}

}  // namespace imgpress::gateway
