// One connection to PostgreSQL. Every wait has a time limit, whatever PostgreSQL does.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
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

// A statement that each connection prepares once. Must live as long as the program.
struct Statement {
  const char* name;
  const char* sql;
  ValueFormat format = ValueFormat::kText;
};

// Parameters as text; nullptr is NULL.
using Parameters = std::initializer_list<const char*>;

// The outcome of one of several statements.
using Outcome = std::variant<Result, DatabaseError>;

class Connection {
 public:
  // Throws DatabaseUnavailable.
  explicit Connection(const std::string& conninfo);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // All functions below throw DatabaseError, DatabaseUnavailable or ConnectionLost.

  // One or more statements without parameters; returns the last result.
  Result execute(const char* sql, Deadline deadline);
  Result query(const Statement& statement, Parameters parameters, Deadline deadline);
  // Executes the statement for each value of its only parameter; the outcomes are in the same
  // order. Takes one round trip for a few dozen values, and one more for each that fails.
  std::vector<Outcome> query_each(const Statement& statement,
                                  const std::vector<std::string>& values, Deadline deadline);

  // Starts a query whose rows are then fetched one by one.
  void start_rows(const char* sql, Parameters parameters, Deadline deadline);
  std::optional<Result> next_row(Deadline deadline);

  // COPY FROM STDIN: begin, any number of writes, then end (or abort, which stores nothing).
  void copy_begin(const char* sql, Deadline deadline);
  void copy_write(std::string_view bytes, Deadline deadline);
  void copy_end(Deadline deadline);
  void copy_abort(Deadline deadline);

  // True if the connection can execute a statement, inside or outside a transaction.
  bool ready() const;
  bool in_transaction() const;
  // True if the server has closed this idle connection.
  bool stale();

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  void prepare(const Statement& statement, Deadline deadline);
  void start_pipeline(const Statement& statement, const std::string* values, std::size_t count);
  void read_pipeline(std::vector<Outcome>& outcomes, Deadline deadline);
  void sent(int ok);
  void flush(Deadline deadline);
  void wait(short events, Deadline deadline);
  Result next_result(Deadline deadline);
  Result collect(Deadline deadline);
  void drain(Deadline deadline);
  DatabaseError error_of(const PGresult* result);
  [[noreturn]] void fail(const PGresult* result);
  [[noreturn]] void lost(const std::string& reason);

  std::unique_ptr<PGconn, Finish> connection_;
  std::set<const Statement*> prepared_;
  bool broken_ = false;
};

}  // namespace imgpress::gateway
