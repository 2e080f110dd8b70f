#include "answers.hpp"

#include "http_status.hpp"
#include "log.hpp"

namespace imgpress::gateway {
namespace {

constexpr const char* kJsonType = "application/json";
constexpr const char* kRetryAfterSeconds = "1";

// "quality 0 is out of range. Give an integer from 1 to 100."
std::string with_hint(const DatabaseError& error) {
  const std::string message = error.what();
  if (error.hint().empty()) return message;
  const bool ends = !message.empty() && message.back() == '.';
  return message + (ends ? " " : ". ") + error.hint();
}

Failure explain_database_error(const DatabaseError& error) {
  const StatusRule& rule = status_rule(error.sqlstate());
  if (rule.status >= 500) log_line("PostgreSQL: " + error.sqlstate() + ": " + error.what());
  return {rule.status, rule.message != nullptr ? rule.message : with_hint(error)};
}

void forbid_caching(httplib::Response& response) {
  response.headers.erase("Cache-Control");
  response.set_header("Cache-Control", "no-store");
}

// Called by the library for each piece of the answer.
bool send_next(RowStream& rows, httplib::DataSink& sink) {
  try {
    std::string piece;
    if (rows.next(piece)) return sink.write(piece.data(), piece.size());
    sink.done();
    return true;
  } catch (const std::exception& error) {
    log_line(std::string("an answer was broken off: ") + error.what());
    return false;
  }
}

}  // namespace

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void answer_json(httplib::Response& response, int status, const Json& json) {
  response.status = status;
  response.headers.erase("Content-Type");
  response.set_content(to_text(json), kJsonType);
  forbid_caching(response);
}

void answer_error(httplib::Response& response, int status, const std::string& message) {
  answer_json(response, status, Json{{"error", message}});
}

Failure explain(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const HttpError& error) {
    return {error.status(), error.what()};
  } catch (const DatabaseError& error) {
    return explain_database_error(error);
  } catch (const ConnectionLost& error) {
    log_line(std::string("a connection to PostgreSQL was lost: ") + error.what());
  } catch (const DatabaseUnavailable&) {
    // Logged already, by the pool.
  } catch (const std::exception& error) {
    log_line(std::string("internal error: ") + error.what());
    return {500, "Internal error."};
  } catch (...) {
    return {500, "Internal error."};
  }
  return {503, "The database is not available at the moment."};
}

void answer_failure(httplib::Response& response, const Failure& failure) {
  answer_error(response, failure.status, failure.message);
  if (failure.status == 503) response.set_header("Retry-After", kRetryAfterSeconds);
}

void answer_rows(const httplib::Request& request, httplib::Response& response, int status,
                 std::shared_ptr<RowStream> rows) {
  response.status = status;
  forbid_caching(response);
  const auto provider = [rows = std::move(rows)](std::size_t, httplib::DataSink& sink) {
    return send_next(*rows, sink);
  };
  if (request.version == "HTTP/1.0") {
    response.set_content_provider(kJsonType, provider);
  } else {
    response.set_chunked_content_provider(kJsonType, provider);
  }
}

void close_after(httplib::Response& response) {
  response.headers.erase("Connection");
  response.set_header("Connection", "close");
}

}  // namespace imgpress::gateway
