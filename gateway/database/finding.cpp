#include "database/finding.hpp"

#include <regex>
#include <thread>

#include "log.hpp"

namespace imgpress::gateway {
namespace {

constexpr auto kLookTime = std::chrono::seconds(2);
constexpr auto kPauseIfReady = std::chrono::seconds(10);
constexpr auto kPauseIfNot = std::chrono::seconds(1);

constexpr const char* kSeeLog =
    "Try again later. The log of the gateway says more, and what to do.";

// One row, whatever is missing, so that PostgreSQL logs no error.
constexpr const char* kExamine =
    "SELECT pg_catalog.current_database(), session_user, "
    "(SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'imgpress'), "
    "COALESCE((SELECT pg_catalog.pg_has_role(oid, 'USAGE') FROM pg_catalog.pg_roles "
    "WHERE rolname = 'imgpress_gateway'), false), "
    "pg_catalog.current_setting('statement_timeout'), "
    "pg_catalog.current_setting('imgpress.public_url', true)";

Error login_refused() {
  return {kLoginRefused, "the database refuses the gateway's login", kSeeLog};
}

Error extension_missing() {
  return {kExtensionMissing, "the database lacks this version of imgpress", kSeeLog};
}

std::string in_quotes(std::string_view name) {
  return '"' + std::string(name) + '"';
}

// The SQLSTATE with which the server refuses the login; empty if it cannot be reached.
std::string refusal_of(const std::string& conninfo) {
  const OpenConnection connection = open_connection(conninfo);
  if (PQstatus(connection.get()) == CONNECTION_OK) return "";
  if (PQconnectionNeedsPassword(connection.get()) == 1) return "28P01";
  // Only a verbose message has the SQLSTATE, and only a second attempt can be made verbose.
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  PQreset(connection.get());
  const std::string message = PQerrorMessage(connection.get());
  static const std::regex kSqlstate(":  ([0-9A-Z]{5}): ");
  std::smatch found;
  return std::regex_search(message, found, kSqlstate) ? found.str(1) : "";
}

std::string cure_of_login(const std::string& sqlstate, const std::string& message) {
  if (sqlstate == "3D000") return "Name the database that has imgpress: --database 'dbname=...'.";
  if (message.find("eer authentication") != std::string::npos) {
    return "pg_hba.conf admits this login over the socket only from the operating system's user of "
           "the same name. Give the login a password (ALTER ROLE ... PASSWORD ...) and connect "
           "over "
           "TCP: --database 'host=127.0.0.1 dbname=... user=...' with PGPASSWORD or a ~/.pgpass.";
  }
  return "See user and password in --database (or PGUSER, PGPASSWORD, ~/.pgpass), and the line for "
         "them in pg_hba.conf.";
}

Finding without_connection(const std::string& conninfo, const std::string& message) {
  const bool silent =
      message.find("in time") != message.npos || message.find("timeout expired") != message.npos;
  const std::string sqlstate = silent ? "" : refusal_of(conninfo);
  const bool refused = sqlstate.substr(0, 2) == "28" || sqlstate == "3D000" || sqlstate == "42501";
  if (refused) {
    return {login_refused(), "PostgreSQL refuses the connection: " + message,
            cure_of_login(sqlstate, message)};
  }
  const std::string cure = sqlstate.empty() ? "See host and port in --database." : "";
  return {unreachable(), "PostgreSQL cannot be reached: " + message, cure};
}

Finding read_look(const Result& look) {
  const std::string database = in_quotes(look.value(0, 0));
  const std::string login = in_quotes(look.value(0, 1));
  if (look.is_null(0, 2)) {
    return {extension_missing(), "database " + database + " does not have imgpress",
            "Run CREATE EXTENSION imgpress in it, or name another one: --database 'dbname=...'."};
  }
  if (look.value(0, 3) != "t") {
    return {login_refused(), "the login " + login + " has no rights on imgpress",
            "Run GRANT imgpress_gateway TO " + login + "."};
  }
  const std::string version(look.value(0, 2));
  if (version != IMGPRESS_VERSION) {
    return {extension_missing(),
            "database " + database + " has imgpress " + version +
                ", and this gateway is of version " IMGPRESS_VERSION,
            "Run ALTER EXTENSION imgpress UPDATE, or start the gateway of that version."};
  }
  Finding finding{std::nullopt,
                  "connected to database " + database + " as " + login + ": imgpress " + version,
                  "", std::string(look.value(0, 5))};
  if (look.value(0, 4) == "0") {
    finding.cure = "Let PostgreSQL end statements that nobody waits for any more: ALTER ROLE " +
                   login + " SET statement_timeout = '10s'.";
  }
  return finding;
}

Finding examine(Pool& pool) {
  const Deadline deadline = within(kLookTime);
  try {
    return read_look(pool.run(Use::kShort, deadline, [&](Connection& connection) {
      return connection.query(kExamine, {}, deadline);
    }));
  } catch (const PoolBusy& error) {
    return {unreachable(), error.what(), ""};
  } catch (const DatabaseUnavailable& error) {
    return without_connection(pool.conninfo(), error.what());
  }
}

// Also if there is no memory or the look itself fails.
Finding examine_safely(Pool& pool) noexcept {
  try {
    return examine(pool);
  } catch (const std::exception& error) {
    return {unreachable(), error.what(), ""};
  }
}

}  // namespace

Error unreachable() {
  return {kDatabaseUnavailable, "the database cannot be reached at the moment", kSeeLog};
}

Finding Watch::look() {
  const Clock::time_point called = Clock::now();
  const std::lock_guard looking(looking_);
  if (look_began_ > called) return last();
  look_began_ = Clock::now();
  const Finding finding = examine_safely(pool_);
  const std::lock_guard lock(mutex_);
  if (finding.text != last_.text) {
    log_line(finding.text);
    if (!finding.cure.empty()) log_line(finding.cure);
  }
  return last_ = finding;
}

Finding Watch::last() {
  const std::lock_guard lock(mutex_);
  return last_;
}

void Watch::run() {
  for (;;) {
    const bool ready = !look().problem.has_value();
    std::this_thread::sleep_for(ready ? kPauseIfReady : kPauseIfNot);
  }
}

}  // namespace imgpress::gateway
