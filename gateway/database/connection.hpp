// One connection to PostgreSQL. Every wait has a time limit, whatever PostgreSQL does. Nothing is
// left behind in the session, so a pooler may stand between.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace imgpress::gateway {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

inline Deadline within(Clock::duration time) {
  return Clock::now() + time;
}

// A statement failed. what() is the primary message; the hint may be empty.
class DatabaseError : public std::runtime_error {
 public:
  DatabaseError(std::string sqlstate, const std::string& message, std::string hint = "")
      : std::runtime_error(message), sqlstate_(std::move(sqlstate)), hint_(std::move(hint)) {}
  const std::string& sqlstate() const { return sqlstate_; }
  const std::string& hint() const { return hint_; }

 private:
  std::string sqlstate_;
  std::string hint_;
};

// PostgreSQL cannot be reached, or does not answer in time. what() is for the log.
class DatabaseUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A connection that had worked is lost: a new one may work.
class ConnectionLost : public DatabaseUnavailable {
 public:
  using DatabaseUnavailable::DatabaseUnavailable;
};

// Rows of a statement: all of them, or one.
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}
  int rows() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
  // Empty for NULL.
  std::string_view value(int row, int column) const;

 private:
  friend class Connection;
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

enum class ValueFormat { kText = 0, kBinary = 1 };

// The value of a parameter. The bytes must live until the statement was sent.
struct Parameter {
  Parameter(const std::string& text) : value(text), format(ValueFormat::kText) {}
  Parameter(const char* text) : value(text), format(ValueFormat::kText) {}
  static Parameter null() { return {{}, ValueFormat::kText}; }
  static Parameter of_bytes(std::string_view bytes) { return {bytes, ValueFormat::kBinary}; }

  std::string_view value;  // its data() is null for NULL
  ValueFormat format;

 private:
  Parameter(std::string_view bytes, ValueFormat given) : value(bytes), format(given) {}
};
using Parameters = std::vector<Parameter>;

// Throws std::runtime_error with a sentence for the user if the text is neither the name of a
// database nor a valid connection string or URI.
void check_conninfo(const std::string& conninfo);

// Opens a connection, which may have failed: see PQstatus(). Waits three seconds for each host.
struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using OpenConnection = std::unique_ptr<PGconn, FinishConnection>;
OpenConnection open_connection(const std::string& conninfo);

class Connection {
 public:
  // Throws DatabaseUnavailable.
  explicit Connection(const std::string& conninfo);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // All functions below throw DatabaseError, DatabaseUnavailable or ConnectionLost.

  // One or more statements without parameters; returns the last result.
  Result execute(const char* sql, Deadline deadline);
  Result query(const char* sql, const Parameters& parameters, Deadline deadline,
               ValueFormat format = ValueFormat::kText);

  // Starts a query whose rows are then fetched one by one.
  void start_rows(const char* sql, const Parameters& parameters, Deadline deadline);
  std::optional<Result> next_row(Deadline deadline);

  // True if the connection can execute a statement, inside or outside a transaction.
  bool ready() const;
  bool in_transaction() const;

 private:
  void send(const char* sql, const Parameters& parameters, ValueFormat format);
  void sent(int ok);
  void flush(Deadline deadline);
  void wait(short events, Deadline deadline);
  Result next_result(Deadline deadline);
  Result collect(Deadline deadline);
  void drain(Deadline deadline);
  [[noreturn]] void fail(const PGresult* result);
  [[noreturn]] void lost(const std::string& reason);

  OpenConnection connection_;
  bool broken_ = false;
};

}  // namespace imgpress::gateway
