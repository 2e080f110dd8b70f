// The GET side of the API: each function asks one SQL function and answers with what it says.
// Those that answer throw HttpError, DatabaseError and DatabaseUnavailable.
#pragma once

#include <httplib.h>

#include "pool.hpp"
#include "route.hpp"

namespace imgpress::gateway {

// How long a request may wait for a free connection, and for its answer. The session's
// statement_timeout comes first, so that normally PostgreSQL itself says why.
constexpr auto kConnectionWait = std::chrono::seconds(5);
constexpr auto kQueryTime = std::chrono::seconds(15);

// What answer_status() takes for the statuses of these requests, known in one go. Throws nothing.
std::vector<std::string> find_statuses(Pool& pool, const std::vector<std::string>& request_ids);

void answer_health(Pool& pool, httplib::Response& response);
void answer_status(Pool& pool, const Route& route, const httplib::Request& request,
                   httplib::Response& response);
void answer_products(Pool& pool, const Route& route, const httplib::Request& request,
                     httplib::Response& response);
void answer_image(Pool& pool, const Route& route, const httplib::Request& request,
                  httplib::Response& response);

}  // namespace imgpress::gateway
