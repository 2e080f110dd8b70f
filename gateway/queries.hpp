// The GET requests of the API: each function calls one SQL function and answers with its result.
// The answer_...() functions throw HttpError, DatabaseError and DatabaseUnavailable.
#pragma once

#include <httplib.h>

#include "pool.hpp"
#include "route.hpp"

namespace imgpress::gateway {

// How long a request may wait for a free connection, and for PostgreSQL's answer. The session's
// statement_timeout is shorter, so that normally PostgreSQL itself reports the reason.
constexpr auto kConnectionWait = std::chrono::seconds(5);
constexpr auto kQueryTime = std::chrono::seconds(15);

// Looks up the statuses of several requests at once, in the form that answer_status() reads from
// kFindingHeader. Throws nothing.
std::vector<std::string> find_statuses(Pool& pool, const std::vector<std::string>& request_ids);

void answer_health(Pool& pool, httplib::Response& response);
void answer_status(Pool& pool, const Route& route, const httplib::Request& request,
                   httplib::Response& response);
void answer_products(Pool& pool, const Route& route, const httplib::Request& request,
                     httplib::Response& response);
void answer_image(Pool& pool, const Route& route, const httplib::Request& request,
                  httplib::Response& response);

}  // namespace imgpress::gateway
