// The REST API: each resource calls SQL and answers with the result.
#pragma once

#include <httplib.h>

#include <cstdint>

#include "access/browser.hpp"
#include "access/key.hpp"
#include "api/route.hpp"
#include "database/finding.hpp"
#include "database/pool.hpp"
#include "http/exchange.hpp"
#include "server/server.hpp"
#include "server/spool.hpp"

namespace imgpress::gateway {

// What all handlers share.
struct Service {
  Server& server;
  Pool& pool;
  Watch& watch;
  SpoolSpace& space;
  std::uint64_t max_upload_bytes;
  BrowserRules browser;
  KeyDemand keys;
};

// How long a request may wait for a free connection, and for the answer to a short statement. The
// login's statement_timeout should be shorter, so that PostgreSQL itself ends the statement.
constexpr auto kConnectionWait = std::chrono::seconds(5);
constexpr auto kQueryTime = std::chrono::seconds(15);

// Connects the paths to the functions below. The service must live as long as its server.
void install_routes(Service& service);

// Runs a statement whose rows are JSON, and appends them, separated by commas.
void append_rows(Connection& connection, const char* sql, const Parameters& parameters,
                 Deadline deadline, BodyBuilder& builder);

// Throws HttpError if SQL has refused the request: `refusal` is the name of the error's code, or
// empty.
void check_refusal(std::string_view refusal, const char* scope);

// Throws HttpError if the key of the request, or the lack of one, does not allow this.
void admit(Service& service, const httplib::Request& request, const char* scope);

// True if the database has a key, revoked ones included. Throws DatabaseError and
// DatabaseUnavailable.
bool any_key(Pool& pool);

// They throw HttpError, DatabaseError, DatabaseUnavailable and SpoolFull.
void answer_page(const PageFile& file, Exchange& exchange);
void answer_health(Service& service, Exchange& exchange);
void answer_status(Service& service, const Route& route, Exchange& exchange);
void answer_products(Service& service, const Route& route, Exchange& exchange);
void answer_image(Service& service, const Route& route, Exchange& exchange);

// A command that uploads a file, for a client that did it in another way.
std::string curl_line(const httplib::Request& request);

// Why an upload is refused before its body is read; no value if it is not.
std::optional<Error> refuse_upload(const Service& service, const httplib::Request& request);
void answer_upload(Service& service, Exchange& exchange, const httplib::ContentReader& reader);

}  // namespace imgpress::gateway
